#!/bin/sh
# The whole rollout with plain az; every step may be repeated. Log in first: az login.
# AZURE_ENV_NAME names the installation, AZURE_LOCATION its region; MESHWARD_AUDIENCE comes from infra/entra.sh.
set -eu
cd "$(dirname "$0")/.."
: "${AZURE_ENV_NAME:?}" "${AZURE_LOCATION:?}" "${MESHWARD_AUDIENCE:?}"
export AZURE_ENV_NAME AZURE_LOCATION MESHWARD_AUDIENCE
AZURE_SUBSCRIPTION_ID="$(az account show --query id --output tsv)"
export AZURE_SUBSCRIPTION_ID

for provider in App Authorization ContainerService DataProtection EventGrid Insights KeyVault KubernetesConfiguration \
  ManagedIdentity OperationalInsights RecoveryServices ResourceGraph Storage Web; do
  az provider register --namespace "Microsoft.$provider" --wait --output none
done

output() {
  az deployment sub show --name "meshward-$AZURE_ENV_NAME" --query "properties.outputs.$1.value" --output tsv
}

# A redeployment leaves a locked immutability policy as it is only if the period is no shorter.
az deployment sub create --name "meshward-$AZURE_ENV_NAME" --location "$AZURE_LOCATION" --output none \
  --template-file infra/main.bicep --parameters infra/main.bicepparam
AZURE_RESOURCE_GROUP="$(output AZURE_RESOURCE_GROUP)"
FUNCTION_APP="$(output FUNCTION_APP)"
export AZURE_RESOURCE_GROUP FUNCTION_APP

infra/package.sh
tries=0
until az functionapp deployment source config-zip --resource-group "$AZURE_RESOURCE_GROUP" --name "$FUNCTION_APP" \
  --src out/meshward.zip --build-remote false --output none; do
  tries=$((tries + 1))
  [ "$tries" -lt 10 ] || exit 1
  echo "The upload was refused. A new role assignment takes up to 10 minutes, a new site's SCM answers 503 at first; again in 60 s"
  sleep 60
done
infra/after-code.sh
