# What a rollout is given, for the scripts that source this. MESHWARD_PARAMETERS is a file of one's own, as its text:
#   export MESHWARD_PARAMETERS="$(cat ../meshward.json)"
# Exports AZURE_SUBSCRIPTION_ID and MESHWARD_SUBSCRIPTION_IDS: the fleet of that file, if it names one. What is told and
# not understood is refused, as it would be left out: a network that isn't private, a group that isn't found.
case "${AZURE_ENV_NAME:-}" in *[!A-Za-z0-9_-]*) # it is part of names, of queries and of patterns
  echo "AZURE_ENV_NAME has letters, digits and hyphens alone" >&2
  exit 1
  ;;
esac
current="$(az account show --query id --output tsv)"
AZURE_SUBSCRIPTION_ID="${AZURE_SUBSCRIPTION_ID:-$current}"
[ "$current" = "$AZURE_SUBSCRIPTION_ID" ] || {
  echo "az works in $current, and AZURE_SUBSCRIPTION_ID is another: az account set --subscription $AZURE_SUBSCRIPTION_ID" >&2
  exit 1
}
[ -n "${MESHWARD_PARAMETERS:-}" ] || MESHWARD_PARAMETERS="{}"
[ -n "${MESHWARD_SUBSCRIPTION_IDS:-}" ] || MESHWARD_SUBSCRIPTION_IDS="$AZURE_SUBSCRIPTION_ID"
export MESHWARD_PARAMETERS AZURE_SUBSCRIPTION_ID MESHWARD_SUBSCRIPTION_IDS

MESHWARD_SUBSCRIPTION_IDS="$("${PYTHON:-python3}" -c '
import json, os, re, sys

KNOWN = {
    "MESHWARD_PARAMETERS": "alertMails backupResourceGroup durableBackend fleet locks names network policyWriters"
    " redundancy reuse scale tags verified",
    "names": "actionGroup alert endpoint eventsGroup functionApp hostAccount identity insights natGateway network plan"
    " publicAddress resourceGroup scheduler securityGroup storeAccount systemTopic topic vault workspace",
    "network": "addressPrefix callers natGateway private subnets zones zonesByPolicy",
    "reuse": "actionGroupId keyVaultId keyVaultTopicId workspaceId",
    "scale": "alwaysReady instanceMemoryMB maximumInstances",
}
try:
    told = json.loads(os.environ["MESHWARD_PARAMETERS"])
except ValueError as wrong:
    sys.exit(f"MESHWARD_PARAMETERS is no JSON ({wrong}). It is the text of a file, and not its path")
for where, known in KNOWN.items():
    said = told if where == "MESHWARD_PARAMETERS" else told.get(where) or {}
    if not isinstance(said, dict):
        sys.exit(f"{where} is no JSON object")
    for name in sorted(said.keys() - set(known.split())):
        sys.exit(f"{where} has {name}, which nothing reads. It knows {known}")
fleet = [each["subscriptionId"] for each in told.get("fleet") or []]
fleet = fleet or [each.strip() for each in os.environ["MESHWARD_SUBSCRIPTION_IDS"].split(",") if each.strip()]
for each in fleet:
    if not re.fullmatch("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", each):
        sys.exit(f"{each!r} of the fleet is no id of a subscription: az account list --output table")
print(",".join(fleet))')" || exit 1

given() { # <expression of Python about the parameters, p>: its value
  printf %s "$MESHWARD_PARAMETERS" | "${PYTHON:-python3}" -c "import json, sys; p = json.load(sys.stdin); print($1)"
}
