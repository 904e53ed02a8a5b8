#!/bin/sh
# Remove an installation: all that infra/made.sh finds of it. Shows it, and removes it with --yes, or once somebody at a
# terminal has typed the name. May be repeated.
#   infra/remove.sh [--yes] [--entra] [--strangers]
#     --entra: the app registration, too, which other installations may share
#     --strangers: what others have put into its groups, too; without it, nothing is removed while there is any
# Needs AZURE_ENV_NAME, and what the rollout had: MESHWARD_PARAMETERS, and MESHWARD_SUBSCRIPTION_IDS if the fleet isn't in
# the current subscription alone; --entra needs MESHWARD_AUDIENCE.
# Exits with 0 if nothing of it is left, or it was only shown; 1 if something is left; 2 if it was called wrongly.
set -eu
. "$(dirname "$0")/help.sh"
cd "$(dirname "$0")"
yes=no entra=no strangers=no
for each in "$@"; do
  case "$each" in --yes) yes=yes ;; --entra) entra=yes ;; --strangers) strangers=yes ;; *) wrong ;; esac
done
[ -n "${AZURE_ENV_NAME:-}" ] || wrong

tab="$(printf '\t')"
found() { echo "$made" | sed -n "s|^$1$tab||p"; } # the ids of what is to be removed as <what>
look() {
  made="$(./made.sh)"
  [ "$entra" = yes ] || made="$(echo "$made" | sed "s|^registration$tab\(.*\)|stays${tab}the app registration \1: --entra removes it|")"
  stays="$(found stays)" others="$(found stranger)"
  MESHWARD_BASE="${MESHWARD_BASE:-$(found base)}" # for the next look, when the group that says so is gone
  export MESHWARD_BASE
  made="$(echo "$made" | grep -Ev '^(stays|base|stranger)' || true)"
}
call() { az rest --method "$1" --url "$2?api-version=$3" --output none; }
remove() { # <what> <id>
  case "$1" in
    app) call POST "$2/stop" 2024-11-01 ;; # no flow begins any more; it goes with its group
    lock) call DELETE "$2" 2020-05-01 ;;
    subscription) call DELETE "$2" 2025-02-15 ;;
    alert) call DELETE "$2" 2018-03-01 ;;
    topic) call DELETE "$2" 2025-02-15 ;;
    actions) call DELETE "$2" 2023-01-01 ;;
    assignment | role) call DELETE "$2" 2022-04-01 ;;
    group)
      AZURE_RESOURCE_GROUP="${2##*/}" ./evidence.sh drop || echo "The policy of the evidence stays." >&2
      az group delete --yes --subscription "$(echo "$2" | cut -d / -f 3)" --name "${2##*/}"
      ;;
    deployment) call DELETE "$2" 2024-03-01 ;;
    registration) az ad app delete --id "$2" ;;
  esac
}
tell() {
  echo "$made" | awk -F "$tab" '{ printf "  %-12s %s\n", $1, $2 }'
  if [ -n "$others" ]; then
    echo "In its groups, and not made by it; --strangers removes that, too:"
    echo "$others" | sed 's|^|  |'
  fi
  echo "This stays:"
  [ -z "$stays" ] || echo "$stays" | sed 's|^|  |'
  echo "  in clusters: what infra/cluster made, tags, the backup extension; in Backup vaults: all, also what was released"
}

look
[ -n "$made" ] || { echo "There is nothing of $AZURE_ENV_NAME."; [ -z "$stays" ] || tell; exit 0; }
echo "To be removed of $AZURE_ENV_NAME:"
tell
if [ "$yes" = no ] && [ -t 0 ]; then
  printf 'This stops the renewal of its meshes (docs/deploy.md#removal). Type %s to remove it: ' "$AZURE_ENV_NAME"
  read -r typed
  [ "$typed" != "$AZURE_ENV_NAME" ] || yes=yes
fi
[ "$yes" = yes ] || { echo "Nothing was removed: --yes removes it."; exit 0; }

if [ -n "$others" ] && [ "$strangers" = no ]; then
  echo "Nothing was removed, as others have put something into its groups, which would go with these: move it, or say --strangers." >&2
  exit 1
fi
# What the second look doesn't find is removed, whatever a call has said: a group may be gone with what was in it.
for what in app lock subscription alert actions topic assignment role group deployment registration; do
  found "$what" | while read -r id; do
    echo "Removing the $what $id"
    remove "$what" "$id" </dev/null || {
      sleep 30 # a lock that was deleted acts for a while
      remove "$what" "$id" </dev/null || echo "That was refused." >&2
    }
  done
done
look
[ -z "$made" ] || { echo "Left of $AZURE_ENV_NAME:" >&2; tell >&2; exit 1; }
echo "Nothing of $AZURE_ENV_NAME is left."
