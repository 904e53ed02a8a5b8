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
[ "${MESHWARD_DEPLOY_ROLES:-yes}" = no ] || infra/roles.sh
app="$(infra/output.sh FUNCTION_APP)"
printf 'AZURE_RESOURCE_GROUP=%s\nFUNCTION_APP=%s\n' "$AZURE_RESOURCE_GROUP" "$app"
