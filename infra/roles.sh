#!/bin/sh
# The second step of a rollout, which may be repeated: roles and locks (infra/roles.bicep), for what the first has made.
# Needs AZURE_ENV_NAME and AZURE_LOCATION, MESHWARD_PARAMETERS and MESHWARD_SUBSCRIPTION_IDS if the first step had them, az in
# the subscription of the installation, and a login that may assign roles: infra/provision.sh leaves this step to
# others with MESHWARD_DEPLOY_ROLES=no.
set -eu
. "$(dirname "$0")/help.sh"
arguments $# 0 0
cd "$(dirname "$0")/.."
. infra/given.sh
MESHWARD_MADE="${MESHWARD_MADE:-$(infra/output.sh MESHWARD_MADE)}"
MESHWARD_TOPIC_PRINCIPALS="${MESHWARD_TOPIC_PRINCIPALS:-$(infra/output.sh MESHWARD_TOPIC_PRINCIPALS)}"
export MESHWARD_MADE MESHWARD_TOPIC_PRINCIPALS
name="$(echo "${AZURE_ENV_NAME:?names the installation}" | tr 'A-Z_' 'a-z-')"
group="$(given "p.get('names', {}).get('resourceGroup', 'rg-$name')")"
vault="$(given "p.get('reuse', {}).get('keyVaultId') or '/subscriptions/$AZURE_SUBSCRIPTION_ID/resourceGroups/$group/providers/Microsoft.KeyVault/vaults/'")"
identities="$(az identity list --subscription "$AZURE_SUBSCRIPTION_ID" --resource-group "$group" --query "[].[name, principalId]" --output tsv)"

# Roles with a right to deploy are many, and each may write outputs under this deployment's name. Who gets roles, and on
# which key vault, is what our group says.
printf %s "$MESHWARD_MADE" | "${PYTHON:-python3}" -c '
import json, sys
made, group, vault, identities = json.load(sys.stdin), *(each.lower() for each in sys.argv[1:])
there = [line.split("\t") for line in identities.splitlines()]
for duty in ("host", "rotator", "provisioner", "verifier"):
    told = made["principals"][duty].lower()
    if not any(name.endswith("-" + duty) and told == principal for name, principal in there):
        sys.exit(f"MESHWARD_MADE says that the {duty} is {told}, which no identity of {group} is: nothing was granted")
same = made["keyVaultId"].lower().startswith(vault) if vault.endswith("/") else made["keyVaultId"].lower() == vault
if made["names"]["resourceGroup"].lower() != group or not same:
    sys.exit("MESHWARD_MADE tells of another group or key vault than the parameters: nothing was granted")
' "$group" "$vault" "$identities"

region="$(echo "${AZURE_LOCATION:?is its region}" | tr -d ' ' | tr 'A-Z' 'a-z')"
az deployment sub create --name "meshward-$name-$region-roles" --location "$region" --output none \
  --template-file infra/roles.bicep --parameters infra/roles.bicepparam
