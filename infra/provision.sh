#!/bin/sh
# The first step of a rollout, which may be repeated: resource providers, everything that infra/main.bicep makes, and
# roles and locks (infra/roles.sh), which MESHWARD_DEPLOY_ROLES=no leaves to others.
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
group="$(given "p.get('names', {}).get('resourceGroup', 'rg-$AZURE_ENV_NAME')")"

infra/providers.sh
found "$group"
if [ "$MESHWARD_EVIDENCE_STATE" = Locked ] && [ -n "${MESHWARD_EVIDENCE_DAYS:-}" ]; then
  AZURE_RESOURCE_GROUP="$group" infra/evidence.sh extend "$MESHWARD_EVIDENCE_DAYS"
fi

az deployment sub create --name "meshward-$AZURE_ENV_NAME-$AZURE_LOCATION" --location "$AZURE_LOCATION" --output none \
  --template-file infra/main.bicep --parameters infra/main.bicepparam
if [ "${MESHWARD_DEPLOY_ROLES:-yes}" != no ]; then
  infra/roles.sh
fi
for each in AZURE_RESOURCE_GROUP FUNCTION_APP; do
  echo "$each=$(infra/output.sh "$each" tsv)"
done
