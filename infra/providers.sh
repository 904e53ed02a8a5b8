#!/bin/sh
# Register the resource providers that an installation and its fleet need, side by side, and wait until they are. May be
# repeated. Needs AZURE_SUBSCRIPTION_ID, and MESHWARD_SUBSCRIPTION_IDS if the fleet isn't in that subscription alone.
set -eu
: "${AZURE_SUBSCRIPTION_ID:?}"
fleet="$(echo "${MESHWARD_SUBSCRIPTION_IDS:-$AZURE_SUBSCRIPTION_ID}" | tr , ' ')"
at_home="App Authorization DurableTask EventGrid Insights KeyVault ManagedIdentity Network OperationalInsights Storage Web"
of_fleet="ContainerService DataProtection EventGrid Insights KubernetesConfiguration ManagedIdentity Network
  RecoveryServices ResourceGraph Storage"

missing() { # lines of <subscription> <provider>; one question for each subscription
  for each in $(printf '%s\n' "$AZURE_SUBSCRIPTION_ID" $fleet | sort -u); do
    registered="$(az provider list --subscription "$each" --query "[?registrationState=='Registered'].namespace" --output tsv)"
    {
      [ "$each" != "$AZURE_SUBSCRIPTION_ID" ] || printf 'Microsoft.%s\n' $at_home
      ! echo " $fleet " | grep -Fqi " $each " || printf 'Microsoft.%s\n' $of_fleet
    } | sort -u | { grep -vixF "$registered" || true; } | sed "s/^/$each /"
  done
}

found="$(missing)"
[ -n "$found" ] || exit 0
asked=""
while read -r subscription provider; do
  az provider register --subscription "$subscription" --namespace "$provider" --output none --only-show-errors </dev/null &
  asked="$asked $!"
done <<LINES
$found
LINES
for each in $asked; do
  wait "$each"
done

tries=0
while found="$(missing)" && [ -n "$found" ]; do
  tries=$((tries + 1))
  [ "$tries" -lt 90 ] || { printf 'These are not registered after 15 minutes:\n%s\n' "$found" >&2; exit 1; }
  printf 'Azure registers these; looking again in 10 s:\n%s\n' "$found" >&2
  sleep 10
done
