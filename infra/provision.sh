#!/bin/sh
# The first step of a rollout, which may be repeated: resource providers, and everything but code and event subscriptions.
# Prints AZURE_RESOURCE_GROUP and FUNCTION_APP for the next steps; needs what infra/deploy.sh needs.
set -eu
cd "$(dirname "$0")/.."
told="$(infra/before.sh)"
for each in $told; do
  export "$each"
done
deployment="meshward-$AZURE_ENV_NAME-$AZURE_LOCATION" # a name belongs to one region
az deployment sub create --name "$deployment" --location "$AZURE_LOCATION" --output none \
  --template-file infra/main.bicep --parameters infra/main.bicepparam
# Resource Manager gives names of outputs back in another case: azurE_RESOURCE_GROUP.
az deployment sub show --name "$deployment" --query properties.outputs --output json | "${PYTHON:-python3}" -c '
import json, sys
for name, output in json.load(sys.stdin).items():
    print(name.upper(), output["value"], sep="=")'
