#!/bin/sh
# Before infra/main.bicep is deployed, by whatever: what it needs is there, and what is there already is told to it.
# Prints the environment of main.bicepparam as <name>=<value>. Needs what infra/deploy.sh needs; may be repeated.
#   infra/before.sh [look]   look: changes nothing, so no provider is registered and no evidence extended
set -eu
cd "$(dirname "$0")/.."
: "${AZURE_ENV_NAME:?names the installation}" "${AZURE_LOCATION:?is its region}"
: "${MESHWARD_AUDIENCE:?comes from infra/entra.sh}"
AZURE_ENV_NAME="$(echo "$AZURE_ENV_NAME" | tr 'A-Z_' 'a-z-')"
AZURE_LOCATION="$(echo "$AZURE_LOCATION" | tr -d ' ' | tr 'A-Z' 'a-z')" # West Europe is westeurope, also in names
echo "$AZURE_ENV_NAME" | grep -Eqx '[a-z][a-z0-9]*(-[a-z0-9]+)*' && [ "${#AZURE_ENV_NAME}" -ge 2 ] && [ "${#AZURE_ENV_NAME}" -le 12 ] || {
  echo "AZURE_ENV_NAME is part of names: 2 to 12 letters, digits and single hyphens between them, a letter first" >&2
  exit 1
}
at_least() { [ "$(printf '%s\n' "$1" "${2:-$1}" | sort -V | head -n 1)" = "$1" ]; } # <wanted> <found, if known>
version="$(az version --query '"azure-cli"' --output tsv)"
at_least 2.76.0 "$version" || { echo "az $version is too old, 2.76.0 or later is needed: az upgrade" >&2; exit 1; }
# Without one, az gets the newest itself.
version="$(az bicep version 2>/dev/null | sed -n 's/^Bicep CLI version \([0-9.]*\).*/\1/p')"
at_least 0.34.1 "$version" || { echo "Bicep $version is too old, 0.34.1 or later is needed: az bicep upgrade" >&2; exit 1; }
export AZURE_ENV_NAME
. infra/given.sh

[ "${1:-}" = look ] || infra/providers.sh

AZURE_RESOURCE_GROUP="$(given "p.get('names', {}).get('resourceGroup', 'rg-$AZURE_ENV_NAME')")"
export AZURE_RESOURCE_GROUP
# A locked policy refuses to be deployed once more, whatever its period, so the template is told to leave it alone.
evidence="$(infra/evidence.sh state)"
if [ "$evidence" = Locked ] && [ "${1:-}" != look ] && [ -n "${MESHWARD_EVIDENCE_DAYS:-}" ]; then
  infra/evidence.sh extend "$MESHWARD_EVIDENCE_DAYS"
fi
# A deleted vault keeps its name for 90 days, and the keys of the trust roots in it: it comes back, in its own region. To
# ask for the return of one that wasn't deleted is an error, so others that were deleted from the group don't count.
vaults="$(az keyvault list-deleted --resource-type vault --output tsv --query "[].[properties.location, properties.vaultId]")"
vault="$(given "p.get('names', {}).get('vault') or 'kv-$AZURE_ENV_NAME-[a-z0-9]{6}'")"
deleted="$(echo "$vaults" | awk -F '\t' -v region="$AZURE_LOCATION" -v group="$AZURE_RESOURCE_GROUP" '{
  count = split($2, part, "/")
  if (tolower($1) == region && tolower(part[5]) == tolower(group)) print part[count]
}' | grep -Eixc "$vault" || true)"
topics="$(infra/topics.sh)"
# A group stays in its region, so the template makes none that is there.
backup="$(given "p.get('backupResourceGroup') or 'rg-$AZURE_ENV_NAME-backup'")"
groups="$(for each in $(echo "$MESHWARD_SUBSCRIPTION_IDS" | tr , ' ' | tr 'A-Z' 'a-z'); do
  exists="$(az group exists --subscription "$each" --name "$backup")" || exit
  [ "$exists" != true ] || echo "$each"
done)"

echo "AZURE_ENV_NAME=$AZURE_ENV_NAME"
echo "AZURE_LOCATION=$AZURE_LOCATION"
echo "AZURE_SUBSCRIPTION_ID=$AZURE_SUBSCRIPTION_ID"
echo "AZURE_RESOURCE_GROUP=$AZURE_RESOURCE_GROUP"
echo "MESHWARD_SUBSCRIPTION_IDS=$(echo "$MESHWARD_SUBSCRIPTION_IDS" | tr -d ' ')"
echo "MESHWARD_SYSTEM_TOPICS=$topics"
echo "MESHWARD_BACKUP_GROUPS=$(echo "$groups" | paste -s -d , -)"
echo "MESHWARD_EVIDENCE_STATE=$evidence"
[ "$deleted" = 0 ] && echo MESHWARD_VAULT_STATE=Kept || echo MESHWARD_VAULT_STATE=Deleted
