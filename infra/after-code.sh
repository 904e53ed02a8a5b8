#!/bin/sh
# The third step of a rollout, which may be repeated: wait for the functions, then subscribe them to their events.
# Needs AZURE_RESOURCE_GROUP, FUNCTION_APP, AZURE_LOCATION. LOCK=yes locks the evidence, which can't be undone.
set -eu
cd "$(dirname "$0")/.."
: "${AZURE_RESOURCE_GROUP:?}" "${FUNCTION_APP:?}" "${AZURE_LOCATION:?}"
AZURE_SUBSCRIPTION_ID="${AZURE_SUBSCRIPTION_ID:-$(az account show --query id --output tsv)}"
export AZURE_SUBSCRIPTION_ID AZURE_RESOURCE_GROUP FUNCTION_APP
app="$(az functionapp show --resource-group "$AZURE_RESOURCE_GROUP" --name "$FUNCTION_APP" --query id --output tsv)"

# Event Grid can only point at functions that the platform lists, and it may list them only when asked to look.
wanted="$(grep -c '"function":' infra/subscriptions.json)"
tries=0
while :; do
  az rest --method POST --url "$app/host/default/sync?api-version=2024-11-01" --output none || true
  listed="$(az functionapp function list --resource-group "$AZURE_RESOURCE_GROUP" --name "$FUNCTION_APP" \
    --query "length([?config.bindings[?type=='eventGridTrigger']])" --output tsv || echo 0)"
  [ "${listed:-0}" -ge "$wanted" ] && break
  tries=$((tries + 1))
  [ "$tries" -lt 40 ] || { echo "After 20 minutes $listed of $wanted event functions are listed. The app's log stream says why it doesn't start: az functionapp log tail -g $AZURE_RESOURCE_GROUP -n $FUNCTION_APP" >&2; exit 1; }
  echo "$listed of $wanted event functions are listed; looking again in 30 s"
  sleep 30
done

az deployment sub create --name "$FUNCTION_APP-events" --location "$AZURE_LOCATION" --output none \
  --template-file infra/events.bicep --parameters infra/events.bicepparam

# Running activities are killed and come again: they look before they act. Two versions never run side by side.
az functionapp update-strategy config set --resource-group "$AZURE_RESOURCE_GROUP" --name "$FUNCTION_APP" \
  --type Recreate --output none

if [ "${LOCK:-no}" = yes ]; then
  account="$(az storage account list --resource-group "$AZURE_RESOURCE_GROUP" \
    --query "[?ends_with(name, 's')].name | [0]" --output tsv)"
  policy="--resource-group $AZURE_RESOURCE_GROUP --account-name $account --container-name evidence"
  # shellcheck disable=SC2086
  state="$(az storage container immutability-policy show $policy --query state --output tsv)"
  # shellcheck disable=SC2086
  [ "$state" = Locked ] || az storage container immutability-policy lock $policy --output none \
    --if-match "$(az storage container immutability-policy show $policy --query etag --output tsv)"
  echo "The evidence of $account is locked: its retention can only be extended."
fi
