#!/bin/sh
# The first step of a rollout, which may be repeated: resource providers, and everything but code and event subscriptions.
# Prints AZURE_RESOURCE_GROUP and FUNCTION_APP for the next steps; needs what infra/deploy.sh needs.
set -eu
cd "$(dirname "$0")/.."
: "${AZURE_ENV_NAME:?}" "${AZURE_LOCATION:?}" "${MESHWARD_AUDIENCE:?}"
export AZURE_ENV_NAME AZURE_LOCATION MESHWARD_AUDIENCE
AZURE_SUBSCRIPTION_ID="$(az account show --query id --output tsv)"
MESHWARD_SUBSCRIPTION_IDS="${MESHWARD_SUBSCRIPTION_IDS:-$AZURE_SUBSCRIPTION_ID}"
export AZURE_SUBSCRIPTION_ID MESHWARD_SUBSCRIPTION_IDS

state() { # <subscription> <provider>
  az provider show --subscription "$1" --namespace "Microsoft.$2" --query registrationState --output tsv
}
register() { # <subscription> <provider>…: all that are missing at once, then wait for each
  subscription="$1" missing=""
  shift
  for provider in "$@"; do
    [ "$(state "$subscription" "$provider")" != Registered ] || continue
    az provider register --subscription "$subscription" --namespace "Microsoft.$provider" --output none \
      --only-show-errors
    missing="$missing $provider"
  done
  tries=0
  for provider in $missing; do
    until [ "$(state "$subscription" "$provider")" = Registered ]; do
      tries=$((tries + 1))
      [ "$tries" -lt 90 ] || { echo "Microsoft.$provider isn't registered after 15 minutes" >&2; exit 1; }
      echo "Azure registers Microsoft.$provider; looking again in 10 s" >&2
      sleep 10
    done
  done
}
register "$AZURE_SUBSCRIPTION_ID" App Authorization DurableTask Insights KeyVault Network OperationalInsights Web
for each in $(echo "$MESHWARD_SUBSCRIPTION_IDS" | tr , ' '); do
  register "$each" ContainerService DataProtection EventGrid KubernetesConfiguration ManagedIdentity Network \
    RecoveryServices ResourceGraph Storage
done

output() {
  az deployment sub show --name "meshward-$AZURE_ENV_NAME" --query "properties.outputs.$1.value" --output tsv
}

# A redeployment leaves a locked immutability policy as it is only if the period is no shorter.
az deployment sub create --name "meshward-$AZURE_ENV_NAME" --location "$AZURE_LOCATION" --output none \
  --template-file infra/main.bicep --parameters infra/main.bicepparam
echo "AZURE_RESOURCE_GROUP=$(output AZURE_RESOURCE_GROUP)"
echo "FUNCTION_APP=$(output FUNCTION_APP)"
