#!/bin/sh
# What the rollout of an installation has made, wherever it is: lines of <what> TAB <id>, and what a removal leaves as
# lines of "stays" TAB <text>. Changes nothing; exits with 1 if it couldn't look everywhere.
# Needs AZURE_ENV_NAME, and what the rollout had: MESHWARD_SUBSCRIPTION_IDS, or MESHWARD_PARAMETERS, which is the text of a
# parameter file of one's own.
set -eu
cd "$(dirname "$0")"
: "${AZURE_ENV_NAME:?names the installation}"
[ -n "${MESHWARD_PARAMETERS:-}" ] || MESHWARD_PARAMETERS="{}"
given() { # <expression of Python about the parameters, p>: its value
  printf %s "$MESHWARD_PARAMETERS" | "${PYTHON:-python3}" -c "import json, sys; p = json.load(sys.stdin); print($1)"
}
named() { given "p.get('names', {}).get('$1', '$2')"; } # a name that the parameters give, or what it is by default
name="$(echo "$AZURE_ENV_NAME" | tr 'A-Z_' 'a-z-')"
ours="$(named base "$name-[a-z0-9]{6}")" # what names of resources end in
group="$(named resourceGroup "rg-$name")"
events="$(named eventsGroup "rg-$ours-events")"
app="$(named functionApp "func-$ours")"
vault="$(named vault "kv-$ours")"
store="$(named storeAccount 'st[a-z0-9]+s')"
alert="$(named alert "alert-$ours")"
actions="$(named actionGroup "ag-$ours")"
backup="$(given "p.get('backupResourceGroup', 'rg-$name-backup')")"
home="$(az account show --query id --output tsv)"
fleet="$(given "' '.join(each['subscriptionId'] for each in p.get('fleet', []))")"
fleet="$(printf '%s\n' "$home" ${fleet:-$(echo "${MESHWARD_SUBSCRIPTION_IDS:-}" | tr , ' ')} | sort -u)"
entra_name="${MESHWARD_APP_NAME:-meshward}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

tab="$(printf '\t')"
say() { sed "s|^|$1$tab|"; } # lines of standard input, as <what>
those() { grep -Ei "$1" || true; }
tsv() { az "$@" --output tsv || touch "$work/failed"; }

at_home() { # the app and its identities, and evidence that can't be removed yet
  : >"$work/identities"
  echo - >"$work/kept"
  [ "$(tsv group exists --subscription "$home" --name "$group")" = true ] || return 0
  tsv identity list --subscription "$home" --resource-group "$group" --query "[].principalId" >"$work/identities"
  tsv resource list --subscription "$home" --resource-group "$group" --query "[].id" >"$work/resources"
  those "/sites/$app$" <"$work/resources" | say app
  those "/vaults/$vault" <"$work/resources" |
    sed 's|$|, soft-deleted for 90 days, with its keys: the same name deployed again gets it back|' | say stays
  [ "$(AZURE_RESOURCE_GROUP="$group" ./evidence.sh state)" = Locked ] || return 0
  echo "the storage account with the evidence in $group: it is locked" | say stays
  [ "$(grep -Eivc "/storageAccounts/$store$" "$work/resources")" != 0 ] || echo "$group" >"$work/kept"
}

topic() { # the system topic of a subscription can be somebody else's, and others can have subscribed to ours
  id="$(tsv eventgrid system-topic list --subscription "$1" --query "[?source=='/subscriptions/$1'].id | [0]")"
  [ -n "$id" ] || return 0
  place="$(echo "$id" | cut -d / -f 5)"
  tsv eventgrid system-topic event-subscription list --subscription "$1" --resource-group "$place" \
    --system-topic-name "${id##*/}" --query "[].id" >"$work/subscribed"
  theirs="$(grep -Eivc "/$ours-on-[a-z-]+$" "$work/subscribed" || true)"
  if echo "$place" | grep -Eiqx "$events"; then
    [ "$theirs" != 0 ] || return 0 # it goes with its group
    echo "$place" >>"$work/kept"
    echo "$id, as others have subscribed to it ($theirs)" | say stays
  fi
  those "/$ours-on-[a-z-]+$" <"$work/subscribed" | say subscription
  tsv resource list --subscription "$1" --resource-group "$place" --query "[].id" >"$work/resources"
  those "/metricAlerts/$alert-dead-letters-" <"$work/resources" | say alert
  those "/actionGroups/$actions$" <"$work/resources" | say actions
}

roles() { # assignments of our identities, and of those that somebody removed by hand; definitions that nobody holds then
  tsv role definition list --subscription "$1" --custom-role-only \
    --query "[?starts_with(roleName, 'Meshward ')].[id, name]" >"$work/definitions"
  tsv role assignment list --all --subscription "$1" --fill-principal-name false --fill-role-definition-name false \
    --query "[].[principalId, id, roleDefinitionId]" >"$work/assignments"
  cut -f 2 "$work/definitions" | those . | grep -Ff - "$work/assignments" | cut -f 1 | sort -u >"$work/holders" || true
  unknown <"$work/holders" | sort -u - "$work/identities" >"$work/ours"
  # Those on resources of the group go with it, but for those on an account that may stay.
  { those . <"$work/ours" | grep -Ff - "$work/assignments" || true; } | cut -f 2 >"$work/found"
  { grep -Eiv "/resourceGroups/$group/" "$work/found" || true; } | say assignment
  those "/resourceGroups/$group/.*/storageAccounts/$store/providers/" <"$work/found" | say assignment
  if [ -n "$(grep -vxFf "$work/ours" "$work/holders")" ]; then
    echo "the roles \"Meshward ...\" in $1, which others hold" | say stays
  else
    cut -f 1 "$work/definitions" | say role
  fi
}

unknown() { # of the object ids on standard input, those that Entra ID doesn't know any more
  asked="$(cat)"
  [ -n "$asked" ] || return 0
  graph="$(tsv cloud show --query endpoints.microsoftGraphResourceId)"
  if az rest --method POST --resource "$graph" --url "${graph%/}/v1.0/directoryObjects/getByIds" --query "value[].id" \
    --output tsv --body "{\"ids\": [$(echo "$asked" | sed 's/.*/"&"/' | paste -sd , -)]}" >"$work/known"; then
    echo "$asked" | grep -vixFf "$work/known" || true
  else
    echo "Entra ID doesn't say which identities are gone, so what these left behind isn't found" >&2
  fi
}

in_subscription() {
  tsv lock list --subscription "$1" --query "[].id" | those "/resourceGroups/($group|$events)/" >"$work/locks"
  those '/locks/meshward$' <"$work/locks" | say lock
  { grep -Eiv '/locks/meshward$' "$work/locks" || true; } | sed 's|$|, which somebody else has set: nothing under it goes|' | say stays
  topic "$1"
  roles "$1"
  tsv group list --subscription "$1" --query "[].name" >"$work/groups"
  those "^($group|$events)$" <"$work/groups" | { grep -vixFf "$work/kept" || true; } |
    sed "s|^|/subscriptions/$1/resourceGroups/|" | say group
  those "^$backup$" <"$work/groups" | sed "s|\$| in $1: Backup vaults, backups, and the roles that they need|" | say stays
  tsv deployment sub list --subscription "$1" --query "[].id" |
    those "/deployments/(meshward-$name-[a-z0-9]+(-roles)?|$AZURE_ENV_NAME-[0-9]+|$app-events(-[a-z0-9]+)?)$" | say deployment
}

at_home
for each in $fleet; do in_subscription "$each"; done
tsv ad app list --filter "displayName eq '$entra_name'" --query "[].appId" | say registration
[ ! -e "$work/failed" ] || { echo "Not everything could be looked at, so more may be there" >&2; exit 1; }
