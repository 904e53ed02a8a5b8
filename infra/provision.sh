#!/bin/sh
# The first step of a rollout, which may be repeated: resource providers, what infra/main.bicep makes, and roles and locks,
# which MESHWARD_DEPLOY_ROLES=no leaves to others (infra/roles.sh).
# Prints AZURE_RESOURCE_GROUP and FUNCTION_APP for the next steps; needs what infra/deploy.sh needs.
set -eu
cd "$(dirname "$0")/.."
: "${AZURE_ENV_NAME:?}" "${AZURE_LOCATION:?}" "${MESHWARD_AUDIENCE:?}"
AZURE_ENV_NAME="$(echo "$AZURE_ENV_NAME" | tr 'A-Z_' 'a-z-')"
echo "$AZURE_ENV_NAME" | grep -Eqx '[a-z][a-z0-9]*(-[a-z0-9]+)*' && [ "${#AZURE_ENV_NAME}" -ge 2 ] && [ "${#AZURE_ENV_NAME}" -le 12 ] || {
  echo "AZURE_ENV_NAME is part of names: 2 to 12 letters, digits and single hyphens between them, a letter first" >&2
  exit 1
}
# Without one, az gets the newest itself.
version="$(az bicep version 2>/dev/null | sed -n 's/^Bicep CLI version \([0-9.]*\).*/\1/p')"
[ "$(printf '%s\n' 0.34.1 "${version:-0.34.1}" | sort -V | head -n 1)" = 0.34.1 ] || {
  echo "Bicep $version is too old, 0.34.1 or later is needed: az bicep upgrade" >&2
  exit 1
}
export AZURE_ENV_NAME AZURE_LOCATION MESHWARD_AUDIENCE
AZURE_SUBSCRIPTION_ID="$(az account show --query id --output tsv)"
. infra/given.sh
AZURE_RESOURCE_GROUP="$(given "p.get('names', {}).get('resourceGroup', 'rg-$AZURE_ENV_NAME')")"
export AZURE_RESOURCE_GROUP

infra/providers.sh

deployment="meshward-$AZURE_ENV_NAME-$AZURE_LOCATION" # a name belongs to one region
MESHWARD_SYSTEM_TOPICS="$(infra/topics.sh)"
export MESHWARD_SYSTEM_TOPICS

# A locked policy refuses to be deployed once more, whatever its period, so the template is told to leave it alone.
MESHWARD_EVIDENCE_STATE="$(infra/evidence.sh state)"
export MESHWARD_EVIDENCE_STATE
if [ "$MESHWARD_EVIDENCE_STATE" = Locked ] && [ -n "${MESHWARD_EVIDENCE_DAYS:-}" ]; then
  infra/evidence.sh extend "$MESHWARD_EVIDENCE_DAYS"
fi

# A deleted vault keeps its name for 90 days, and the keys of the trust roots in it: it comes back.
deleted="$(az keyvault list-deleted --resource-type vault --output tsv \
  --query "[?contains(properties.vaultId, '/resourceGroups/$AZURE_RESOURCE_GROUP/')] | length(@)")"
[ "$deleted" = 0 ] || MESHWARD_VAULT_STATE=Deleted
export MESHWARD_VAULT_STATE="${MESHWARD_VAULT_STATE:-Kept}"

az deployment sub create --name "$deployment" --location "$AZURE_LOCATION" --output none \
  --template-file infra/main.bicep --parameters infra/main.bicepparam
[ "${MESHWARD_DEPLOY_ROLES:-yes}" = no ] || infra/roles.sh
echo "AZURE_RESOURCE_GROUP=$(infra/output.sh AZURE_RESOURCE_GROUP)"
echo "FUNCTION_APP=$(infra/output.sh FUNCTION_APP)"
