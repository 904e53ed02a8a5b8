#!/bin/sh
# Register the resource providers that an installation and its fleet need, and wait until they are. May be repeated.
# Needs AZURE_SUBSCRIPTION_ID, and MESHWARD_SUBSCRIPTION_IDS if the fleet isn't in that subscription alone.
set -eu
: "${AZURE_SUBSCRIPTION_ID:?}"
MESHWARD_SUBSCRIPTION_IDS="${MESHWARD_SUBSCRIPTION_IDS:-$AZURE_SUBSCRIPTION_ID}"

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
