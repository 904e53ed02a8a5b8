# What a rollout is given, for the scripts that source this. MESHWARD_PARAMETERS is a file of one's own, as its text:
#   export MESHWARD_PARAMETERS="$(cat ../meshward.json)"
# Exports AZURE_SUBSCRIPTION_ID and MESHWARD_SUBSCRIPTION_IDS: the fleet of that file, if it names one.
[ -n "${MESHWARD_PARAMETERS:-}" ] || MESHWARD_PARAMETERS="{}"
AZURE_SUBSCRIPTION_ID="${AZURE_SUBSCRIPTION_ID:-$(az account show --query id --output tsv)}"

given() { # <expression of Python about the parameters, p>: its value
  printf %s "$MESHWARD_PARAMETERS" | "${PYTHON:-python3}" -c "import json, sys; p = json.load(sys.stdin); print($1)"
}
fleet="$(given "','.join(each['subscriptionId'] for each in p.get('fleet', []))")"
MESHWARD_SUBSCRIPTION_IDS="${fleet:-${MESHWARD_SUBSCRIPTION_IDS:-$AZURE_SUBSCRIPTION_ID}}"
export MESHWARD_PARAMETERS AZURE_SUBSCRIPTION_ID MESHWARD_SUBSCRIPTION_IDS
