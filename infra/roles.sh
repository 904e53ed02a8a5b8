#!/bin/sh
# The second step of a rollout, which may be repeated: roles and locks (infra/roles.bicep), for what the first has made.
# Needs AZURE_ENV_NAME and AZURE_LOCATION, MESHWARD_PARAMETERS and MESHWARD_SUBSCRIPTION_IDS if the first step had them, az in
# the subscription of the installation, and a login that may assign roles: infra/provision.sh leaves this step to
# others with MESHWARD_DEPLOY_ROLES=no.
set -eu
. "$(dirname "$0")/help.sh"
arguments $# 0 0
cd "$(dirname "$0")/.."
. infra/given.sh
MESHWARD_MADE="${MESHWARD_MADE:-$(infra/output.sh MESHWARD_MADE)}"
MESHWARD_TOPIC_PRINCIPALS="${MESHWARD_TOPIC_PRINCIPALS:-$(infra/output.sh MESHWARD_TOPIC_PRINCIPALS)}"
export MESHWARD_MADE MESHWARD_TOPIC_PRINCIPALS
name="$(echo "${AZURE_ENV_NAME:?names the installation}" | tr 'A-Z_' 'a-z-')"
infra/trusted.sh

region="$(echo "${AZURE_LOCATION:?is its region}" | tr -d ' ' | tr 'A-Z' 'a-z')"
az deployment sub create --name "meshward-$name-$region-roles" --location "$region" --output none \
  --template-file infra/roles.bicep --parameters infra/roles.bicepparam
