#!/bin/sh
# The policy that keeps the evidence of AZURE_RESOURCE_GROUP. Each may be repeated.
#   infra/evidence.sh state           prints Locked, or Unlocked, also where there is no evidence yet
#   infra/evidence.sh lock            locks it, which can't be undone: from then on it can only be extended
#   infra/evidence.sh extend <days>   lets a locked one keep evidence for so many days, if that is longer
set -eu
: "${AZURE_RESOURCE_GROUP:?}"
. "$(dirname "$0")/given.sh"
named="$(given "p.get('names', {}).get('storeAccount', '')")"
[ -n "$named" ] && which="name=='$named'" || which="starts_with(name, 'st') && ends_with(name, 's')"
account="$(az storage account list --output tsv \
  --query "[?resourceGroup=='$AZURE_RESOURCE_GROUP' && $which].name | [0]")"
policy() { # <verb> <option>…
  verb="$1"
  shift
  az storage container immutability-policy "$verb" --resource-group "$AZURE_RESOURCE_GROUP" \
    --account-name "$account" --container-name evidence "$@"
}
show() { policy show --query "$1" --output tsv; }
change() { policy "$@" --if-match "$(show etag)" --output none; }

state=Unlocked
if [ -n "$account" ]; then
  state="$(show state)"
fi
case "$1" in
  state) echo "$state" ;;
  lock) [ "$state" = Locked ] || change lock ;;
  extend)
    days="$(show immutabilityPeriodSinceCreationInDays)"
    [ "$2" -ge "$days" ] || { echo "The evidence of $account is locked for $days days: it can't be $2" >&2; exit 1; }
    [ "$2" -eq "$days" ] || change extend --period "$2"
    ;;
esac
