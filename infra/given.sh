# What a rollout is given, and what it finds, for the scripts that source this. MESHWARD_PARAMETERS is a file of one's
# own, as its text: export MESHWARD_PARAMETERS="$(cat ../meshward.json)"
# Exports AZURE_SUBSCRIPTION_ID and MESHWARD_SUBSCRIPTION_IDS: the fleet of that file, if it names one.
[ -n "${MESHWARD_PARAMETERS:-}" ] || MESHWARD_PARAMETERS="{}"
AZURE_SUBSCRIPTION_ID="${AZURE_SUBSCRIPTION_ID:-$(az account show --query id --output tsv)}"

given() { # <expression of Python about the parameters, p>: its value
  printf %s "$MESHWARD_PARAMETERS" | "${PYTHON:-python3}" -c "import json, sys; p = json.load(sys.stdin); print($1)"
}
fleet="$(given "','.join(each['subscriptionId'] for each in p.get('fleet', []))")"
MESHWARD_SUBSCRIPTION_IDS="${fleet:-${MESHWARD_SUBSCRIPTION_IDS:-$AZURE_SUBSCRIPTION_ID}}"
export MESHWARD_PARAMETERS AZURE_SUBSCRIPTION_ID MESHWARD_SUBSCRIPTION_IDS

# What infra/main.bicep can't ask itself.
found() { # <resource group>: exports MESHWARD_EVIDENCE_STATE, MESHWARD_VAULT_STATE and MESHWARD_SYSTEM_TOPICS
  # A locked policy refuses to be deployed once more, whatever its period, so the template is told to leave it alone.
  MESHWARD_EVIDENCE_STATE="$(AZURE_RESOURCE_GROUP="$1" infra/evidence.sh state)"
  # A deleted vault keeps its name for 90 days, and the keys of the trust roots in it: it comes back.
  deleted="$(az keyvault list-deleted --resource-type vault --output tsv \
    --query "[?contains(properties.vaultId, '/resourceGroups/$1/')] | length(@)")"
  [ "$deleted" = 0 ] || MESHWARD_VAULT_STATE=Deleted
  MESHWARD_VAULT_STATE="${MESHWARD_VAULT_STATE:-Kept}"
  MESHWARD_SYSTEM_TOPICS="$(infra/topics.sh)"
  export MESHWARD_EVIDENCE_STATE MESHWARD_VAULT_STATE MESHWARD_SYSTEM_TOPICS
}
