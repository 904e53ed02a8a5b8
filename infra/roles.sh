#!/bin/sh
# The second step of a rollout, which may be repeated: roles and locks (infra/roles.bicep), for what the first has made.
# Needs AZURE_ENV_NAME and AZURE_LOCATION, and a login that may assign roles: infra/provision.sh leaves this step to
# others with MESHWARD_DEPLOY_ROLES=no.
set -eu
cd "$(dirname "$0")/.."
. infra/given.sh
MESHWARD_MADE="${MESHWARD_MADE:-$(infra/output.sh MESHWARD_MADE)}"
MESHWARD_TOPIC_PRINCIPALS="${MESHWARD_TOPIC_PRINCIPALS:-$(infra/output.sh MESHWARD_TOPIC_PRINCIPALS)}"
export MESHWARD_MADE MESHWARD_TOPIC_PRINCIPALS
name="$(echo "${AZURE_ENV_NAME:?}" | tr 'A-Z_' 'a-z-')"
region="$(echo "${AZURE_LOCATION:?}" | tr -d ' ' | tr 'A-Z' 'a-z')"
az deployment sub create --name "meshward-$name-$region-roles" --location "$region" --output none \
  --template-file infra/roles.bicep --parameters infra/roles.bicepparam
