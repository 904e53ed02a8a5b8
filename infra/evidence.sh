#!/bin/sh
# The policy that keeps the evidence of AZURE_RESOURCE_GROUP; AZURE_ENV_NAME says whose, if others have accounts there, too.
# Each may be repeated.
#   infra/evidence.sh state           prints Locked, or Unlocked, also where there is no evidence yet
#   infra/evidence.sh lock            locks it, which can't be undone: from then on it can only be extended
#   infra/evidence.sh extend <days>   lets a locked one keep evidence for so many days, if that is longer
#   infra/evidence.sh drop            deletes one that isn't locked, which else keeps the account from being deleted
set -eu
. "$(dirname "$0")/help.sh"
case "$# ${1:-}" in "1 state" | "1 lock" | "1 drop" | "2 extend") ;; *) wrong ;; esac
: "${AZURE_RESOURCE_GROUP:?is the group of the installation, rg-<name> by default}"
. "$(dirname "$0")/given.sh"
named="$(given "p.get('names', {}).get('storeAccount', '')")"
flat="$(echo "${AZURE_ENV_NAME:-}" | tr 'A-Z' 'a-z' | tr -d _-)"
usual="st${flat:-[a-z0-9]*}[a-z0-9]{6}s"
account="$(az storage account list --output tsv --query "[].[resourceGroup, name]" |
  awk -F '\t' -v group="$AZURE_RESOURCE_GROUP" 'tolower($1) == tolower(group) { print $2 }' |
  { grep -Eix "${named:-$usual}" || true; })"
case "$account" in *?"
"?*) # a lock can't be undone, so it isn't set on what may be another's
  echo "Several accounts of $AZURE_RESOURCE_GROUP can be that of the evidence:" $account >&2
  exit 1
  ;;
esac
policy() { # <verb> <option>…
  verb="$1"
  shift
  az storage container immutability-policy "$verb" --resource-group "$AZURE_RESOURCE_GROUP" \
    --account-name "$account" --container-name evidence "$@"
}
show() { policy show --query "$1" --output tsv; }
change() { policy "$@" --if-match "$(show etag)" --output none; }

# A rollout that was interrupted may have left the account without it.
if [ -n "$account" ] && [ "$(az storage container-rm exists --resource-group "$AZURE_RESOURCE_GROUP" \
  --storage-account "$account" --name evidence --query exists --output tsv)" != true ]; then
  account=""
fi

state=Unlocked
if [ -n "$account" ]; then
  state="$(show state)"
  state="${state:-Unlocked}" # of a container that has no policy
elif [ "$1" != state ] && [ "$1" != drop ]; then
  echo "There is no evidence in $AZURE_RESOURCE_GROUP: deploy first, and let az work in its subscription" >&2
  exit 1
fi
case "$1" in
  state) echo "$state" ;;
  lock) [ "$state" = Locked ] || change lock ;;
  drop) [ -z "$account" ] || [ "$state" = Locked ] || [ -z "$(show etag)" ] || change delete ;;
  extend)
    days="$(show immutabilityPeriodSinceCreationInDays)"
    [ "$2" -ge "$days" ] || { echo "The evidence of $account is locked for $days days: it can't be $2" >&2; exit 1; }
    [ "$2" -eq "$days" ] || change extend --period "$2"
    ;;
esac
