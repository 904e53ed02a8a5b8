#!/bin/sh
# What the rollout of an installation has made, wherever it is: lines of <what> TAB <id>; what a removal leaves as lines of
# "stays" TAB <text>; and what others have put into its groups as lines of "stranger" TAB <id>. Changes nothing; exits with 1 if it couldn't look everywhere.
# Needs AZURE_ENV_NAME, and what the rollout had: MESHWARD_SUBSCRIPTION_IDS, or MESHWARD_PARAMETERS, which is the text of a
# parameter file of one's own. MESHWARD_BASE (<name>-<six letters>) says which installation of that name it is, once its
# group, which says so, is gone: what only has that name is shown, and stays.
set -eu
cd "$(dirname "$0")"
: "${AZURE_ENV_NAME:?names the installation}"
. ./given.sh
plain() { sed 's/[][\\.*^$+?(){}|]/\\&/g'; } # text, as a pattern that is that text
named() { # <kind> <pattern>: the name that the parameters give, which is no pattern, or what it is by default
  told="$(given "p.get('names', {}).get('$1', '')")"
  [ -n "$told" ] || { echo "$2"; return; }
  printf '%s\n' "$told" | plain
}
name="$(echo "$AZURE_ENV_NAME" | tr 'A-Z_' 'a-z-')"
group="$(given "p.get('names', {}).get('resourceGroup', 'rg-$name')")"
group_named="$(named resourceGroup "rg-$name")"
vault_id="$(given "p.get('reuse', {}).get('keyVaultId') or ''")"
backup="$(given "p.get('backupResourceGroup', 'rg-$name-backup')")"
home="$AZURE_SUBSCRIPTION_ID"
fleet="$(printf '%s\n' "$home" $(echo "$MESHWARD_SUBSCRIPTION_IDS" | tr , ' ') | tr 'A-Z' 'a-z' | sort -u)"
entra_name="${MESHWARD_APP_NAME:-meshward}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

tab="$(printf '\t')"
say() { sed "s|^|$1$tab|"; } # lines of standard input, as <what>
mine() { # the same of what has only the name of this installation in common with it, as long as it isn't known which it is
  if [ -n "$base" ]; then say "$1"; else
    sed 's|$|, whose installation has the same name: MESHWARD_BASE=<name>-<six letters> says that it is this one|' | say stays
  fi
}
those() { grep -Ei "$1" || true; }
tsv() { az "$@" --output tsv || touch "$work/failed"; }

bases() { # what names end in, by what is in our group: another installation of that name has another group or home
  [ "$(tsv group exists --subscription "$home" --name "$group")" = true ] || return 0
  tsv resource list --subscription "$home" --resource-group "$group" --query "[].name" |
    sed -En "s/^(func|plan|evgt|appi|log)-($name-[a-z0-9]{6})$/\2/p
      s/^id-($name-[a-z0-9]{6})-host$/\1/p
      s/^st$(echo "$name" | tr -d -)([a-z0-9]{6})[hs]$/$name-\1/p" | sort -u
}

at_home() { # the app and its identities, and evidence that can't be removed yet
  : >"$work/identities"
  echo - >"$work/kept"
  [ "$(tsv group exists --subscription "$home" --name "$group")" = true ] || return 0
  tsv identity list --subscription "$home" --resource-group "$group" --query "[].principalId" >"$work/identities"
  resources "$home" "$group"
  those "/sites/$app$" <"$work/resources" | say app
  those "/vaults/$vault" <"$work/resources" |
    sed 's|$|, soft-deleted for 90 days, with its keys: the same name deployed again gets it back|' | say stays
  reused="$(given "*p.get('reuse', {}).values(), sep='\n'" | those "^/subscriptions/$home/resourceGroups/$group_named/")"
  if [ -n "$reused" ]; then
    echo "$group" >>"$work/kept"
    echo "$reused" | sed "s|\$|, which was there before, and with it $group|" | say stays
  fi
  if [ "$(AZURE_RESOURCE_GROUP="$group" ./evidence.sh state)" = Locked ]; then
    echo "the storage account with the evidence in $group: it is locked, so nobody can delete it before the retention of its last file has passed" | say stays
    [ "$(grep -Eivc "/storageAccounts/$store$" "$work/resources")" != 0 ] || echo "$group" >>"$work/kept"
  fi
  grep -qixF "$group" "$work/kept" || strangers
}

resources() { # <subscription> <group>: what is in the group
  tsv resource list --subscription "$1" --resource-group "$2" --query "[].[id, tags.\"hidden-title\"]" >"$work/titled"
  cut -f 1 "$work/titled" >"$work/resources"
}

strangers() { # of these, what isn't called as what this installation has made, or Azure for it
  awk -F "$tab" '$2 != "Meshward" { print $1 }' "$work/titled" |
    { grep -Eiv "^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/[^/]+/[^/]+/($own)(/|$)" || true; } | say stranger
}

topic() { # <subscription> <source> <kind>: the system topic of it can be somebody else's, and others can have subscribed to ours
  id="$(tsv eventgrid system-topic list --subscription "$1" --query "[?topicType=='$3'].[source, id]" |
    awk -F "$tab" -v source="$2" 'tolower($1) == tolower(source) { print $2; exit }')"
  [ -n "$id" ] || return 0
  place="$(echo "$id" | cut -d / -f 5)"
  tsv eventgrid system-topic event-subscription list --subscription "$1" --resource-group "$place" \
    --system-topic-name "${id##*/}" --query "[].id" >"$work/subscribed"
  theirs="$(grep -Eivc "/$ours-on-[a-z-]+$" "$work/subscribed" || true)"
  if echo "$place" | grep -Eiqx "$events"; then
    [ "$theirs" != 0 ] || return 0 # it goes with its group
    echo "$place" >>"$work/kept"
    echo "$id, as others have subscribed to it ($theirs)" | say stays
  elif echo "${id##*/}" | grep -Eiqx "$vault_topic"; then
    if [ "$theirs" = 0 ]; then echo "$id" | mine topic; else echo "$id, as others have subscribed to it ($theirs)" | say stays; fi
  fi
  those "/$ours-on-[a-z-]+$" <"$work/subscribed" | mine subscription
  tsv resource list --subscription "$1" --resource-group "$place" --query "[].id" >"$work/resources"
  those "/metricAlerts/$alert-dead-letters-" <"$work/resources" | mine alert
  those "/actionGroups/$actions$" <"$work/resources" | mine actions
}

beside_vault() { # a key vault that was there before has its system topic in its own group, and gave us roles
  at="$(echo "$vault_id" | cut -d / -f 3 | tr 'A-Z' 'a-z')"
  topic "$at" "$vault_id" Microsoft.KeyVault.vaults
  ! printf '%s\n' "$fleet" | grep -Fqx "$at" || return 0 # its roles are found with the others of its subscription
  tsv role assignment list --scope "$vault_id" --fill-principal-name false --fill-role-definition-name false \
    --query "[].[principalId, id]" >"$work/assignments"
  held 1 <"$work/identities" | cut -f 2 | say assignment
}

roles() { # assignments of our identities, and of those that somebody removed by hand; definitions that nobody holds then
  tsv role definition list --subscription "$1" --custom-role-only \
    --query "[?starts_with(roleName, 'Meshward ') && ends_with(roleName, ' ($1)')].[id, name]" >"$work/definitions"
  tsv role assignment list --all --subscription "$1" --fill-principal-name false --fill-role-definition-name false \
    --query "[].[principalId, id, roleDefinitionId]" >"$work/assignments"
  cut -f 2 "$work/definitions" | held 3 | cut -f 1 | sort -u >"$work/holders"
  unknown <"$work/holders" | sort -u - "$work/identities" >"$work/ours"
  # Those on resources of the group go with it, but for those on an account that may stay.
  held 1 <"$work/ours" | cut -f 2 >"$work/found"
  { grep -Eiv "^/subscriptions/$home/resourceGroups/$group_named/" "$work/found" || true; } | say assignment
  those "^/subscriptions/$home/resourceGroups/$group_named/.*/storageAccounts/$store/(.+/)?providers/" <"$work/found" | say assignment
  if [ -n "$(grep -vxFf "$work/ours" "$work/holders")" ]; then
    echo "the roles \"Meshward ...\" in $1, which others hold" | say stays
  else
    cut -f 1 "$work/definitions" | say role
  fi
}

held() { # <field>: the assignments whose field is, or as an id ends in, a line of standard input
  awk -F "$tab" -v field="$1" 'NR == FNR { if ($1 != "") asked[tolower($1)]; next }
    { count = split(tolower($field), parts, "/"); if (parts[count] in asked) print }' - "$work/assignments"
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
  groups="$events"
  [ "$1" != "$home" ] || groups="$group_named|$events"
  tsv lock list --subscription "$1" --query "[].id" | those "/resourceGroups/($groups)/" >"$work/locks"
  own_lock="^/subscriptions/$home/resourceGroups/$group_named/.*/(vaults/$vault|storageAccounts/$store)/.*/locks/meshward$"
  those "$own_lock" <"$work/locks" | say lock
  { grep -Eiv "$own_lock" "$work/locks" || true; } | sed 's|$|, which somebody else has set: nothing under it goes|' | say stays
  topic "$1" "/subscriptions/$1" Microsoft.Resources.Subscriptions
  roles "$1"
  tsv group list --subscription "$1" --query "[].name" >"$work/groups"
  [ "$1" != "$home" ] || in_home_groups
  those "^($events)$" <"$work/groups" | { grep -vixFf "$work/kept" || true; } >"$work/going"
  sed "s|^|/subscriptions/$1/resourceGroups/|" "$work/going" | mine group
  while read -r each; do
    resources "$1" "$each"
    strangers
  done <"$work/going"
  ! grep -qixF "$backup" "$work/groups" || backups "$1"
}

backups() { # the group of the Backup vaults goes if it is called as usual, and has nothing in it
  resources "$1" "$backup"
  if grep -qiv /providers/Microsoft.Authorization/ "$work/resources" || [ -n "$(given "p.get('backupResourceGroup') or ''")" ]; then
    echo "$backup in $1: Backup vaults, backups, and the roles that they need" | say stays
  else
    echo "/subscriptions/$1/resourceGroups/$backup" | mine group
  fi
}

in_home_groups() {
  { grep -ixF "$group" "$work/groups" || true; } | { grep -vixFf "$work/kept" || true; } |
    sed "s|^|/subscriptions/$home/resourceGroups/|" | say group
  tsv deployment sub list --subscription "$home" --query "[].id" |
    those "/deployments/(meshward-$name-[a-z0-9]+(-roles)?|$AZURE_ENV_NAME-[0-9]+|$app-events(-[a-z0-9]+)?)$" | say deployment
}

base="${MESHWARD_BASE:-$(bases)}"
[ "$(echo "$base" | wc -l)" = 1 ] || { echo "$group has parts of several installations called $name: MESHWARD_BASE says which" $base >&2; exit 1; }
echo "${base:-$name-000000}" | grep -Eqx "$name-[a-z0-9]{6}" || { echo "MESHWARD_BASE is $name-<six letters>" >&2; exit 1; }
ours="$base"
[ -n "$ours" ] || ours="$name-[a-z0-9]{6}"
letters="${base##*-}"
[ -n "$letters" ] || letters="$name-[a-z0-9]{6}|st$(echo "$name" | tr -d -)[a-z0-9]{6}[hs]"
# Something else is called by a name that begins as these do; all others are whole names.
stems="'identity', 'alert', 'systemTopic'"
whole="$(given "*(n for k, n in p.get('names', {}).items() if k not in ($stems)), sep='\n'" | plain | paste -sd '|' -)"
begun="$(given "*(n for k, n in p.get('names', {}).items() if k in ($stems)), sep='\n'" | plain | paste -sd '|' -)"
own="[^/]*($letters)[^/]*|privatelink\.[^/]*|Application Insights Smart Detection"
own="$own${whole:+|(Failure Anomalies - )?($whole)|$(named endpoint pep)-($whole)-[^/]*}${begun:+|($begun)-[^/]*}"
events="$(named eventsGroup "rg-$ours-events")"
app="$(named functionApp "func-$ours")"
vault="$(named vault "kv-$ours")"
store="$(named storeAccount 'st[a-z0-9]+s')"
alert="$(named alert "alert-$ours")"
actions="$(named actionGroup "ag-$ours")"
vault_topic="$(named systemTopic "egst-$ours")-vault"

[ -z "$base" ] || echo "$base" | say base
at_home
for each in $fleet; do in_subscription "$each"; done
[ -z "$vault_id" ] || beside_vault
{
  tsv ad app list --filter "displayName eq '$(printf %s "$entra_name" | sed "s/'/''/g")'" --query "[].appId"
  [ -z "${MESHWARD_AUDIENCE:-}" ] || tsv ad app list --app-id "$MESHWARD_AUDIENCE" --query "[].appId"
} | sort -u >"$work/registrations"
{ grep -Fx "${MESHWARD_AUDIENCE:-none}" "$work/registrations" || true; } | say registration
{ grep -vFx "${MESHWARD_AUDIENCE:-none}" "$work/registrations" || true; } |
  sed "s|.*|the app registration &, called $entra_name: MESHWARD_AUDIENCE isn't it|" | say stays
[ ! -e "$work/failed" ] || { echo "Not everything could be looked at, so more may be there" >&2; exit 1; }
