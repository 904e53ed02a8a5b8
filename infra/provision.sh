#!/bin/sh
# The first step of a rollout, which may be repeated: resource providers, what infra/main.bicep makes, and roles and
# locks, which MESHWARD_DEPLOY_ROLES=no leaves to others (infra/roles.sh).
# Prints AZURE_RESOURCE_GROUP and FUNCTION_APP for the next steps; needs what infra/deploy.sh needs.
set -eu
. "$(dirname "$0")/help.sh"
arguments $# 0 0
cd "$(dirname "$0")/.."
told="$(infra/before.sh)"
for each in $told; do
  export "$each"
done
deployment="meshward-$AZURE_ENV_NAME-$AZURE_LOCATION" # a name belongs to one region
az deployment sub create --name "$deployment" --location "$AZURE_LOCATION" --output none \
  --template-file infra/main.bicep --parameters infra/main.bicepparam
# Whoever writes outputs could lead the next steps elsewhere, and with them the token of who deploys.
FUNCTION_APP="$(infra/output.sh FUNCTION_APP)"
MESHWARD_MADE="$(infra/output.sh MESHWARD_MADE)"
MESHWARD_TOPIC_PRINCIPALS="$(infra/output.sh MESHWARD_TOPIC_PRINCIPALS)"
export FUNCTION_APP MESHWARD_MADE MESHWARD_TOPIC_PRINCIPALS
if [ "${MESHWARD_DEPLOY_ROLES:-yes}" = no ]; then infra/trusted.sh; else infra/roles.sh; fi
printf 'AZURE_RESOURCE_GROUP=%s\nFUNCTION_APP=%s\n' "$AZURE_RESOURCE_GROUP" "$FUNCTION_APP"
