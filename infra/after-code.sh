#!/bin/sh
# The last step of a rollout, which may be repeated: wait for the functions, then subscribe them to their events.
# Needs AZURE_ENV_NAME, AZURE_LOCATION, AZURE_RESOURCE_GROUP, FUNCTION_APP. LOCK=yes locks the evidence, which can't be
# undone.
set -eu
. "$(dirname "$0")/help.sh"
arguments $# 0 0
cd "$(dirname "$0")/.."
: "${AZURE_RESOURCE_GROUP:?comes from infra/provision.sh}" "${FUNCTION_APP:?comes from infra/provision.sh}"
: "${AZURE_LOCATION:?is the region of the installation}"
AZURE_LOCATION="$(echo "$AZURE_LOCATION" | tr -d ' ' | tr 'A-Z' 'a-z')"
export AZURE_RESOURCE_GROUP
. infra/given.sh
app="$(az functionapp show --resource-group "$AZURE_RESOURCE_GROUP" --name "$FUNCTION_APP" --output tsv \
  --query "[[id, properties.state || state]]")"
case "$app" in *"	Stopped")
  echo "$FUNCTION_APP is stopped, by hand or by a removal that was interrupted: az functionapp start -g $AZURE_RESOURCE_GROUP -n $FUNCTION_APP" >&2
  exit 1
  ;;
esac
app="${app%%	*}"

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

MESHWARD_SYSTEM_TOPICS="$(infra/topics.sh)"
MESHWARD_MADE="${MESHWARD_MADE:-$(infra/output.sh MESHWARD_MADE)}"
export MESHWARD_SYSTEM_TOPICS MESHWARD_MADE
infra/trusted.sh

# Event Grid asks at once whether a topic's identity may put dead letters down, and a new role takes minutes to act.
tries=0
until told="$(az deployment sub create --name "$FUNCTION_APP-events-$AZURE_LOCATION" --location "$AZURE_LOCATION" --output none \
  --template-file infra/events.bicep --parameters infra/events.bicepparam 2>&1)"; do
  tries=$((tries + 1))
  case "$told" in
    *"Managed Identity"*"does not have permission"*) [ "$tries" -lt 15 ] || { echo "$told" >&2; exit 1; } ;;
    *) echo "$told" >&2; exit 1 ;;
  esac
  echo "A topic's right to put dead letters down doesn't act yet; subscribing again in 60 s"
  sleep 60
done

if [ "${LOCK:-no}" = yes ]; then
  infra/evidence.sh lock
  echo "The evidence of $AZURE_RESOURCE_GROUP is locked: its retention can only be extended. It holds the verdicts of"
  echo "verifications and the records of rotations. All else is in the ledger, which isn't locked and can be changed."
fi
