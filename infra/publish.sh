#!/bin/sh
# Put a package into the function app as it is: publish.sh <zip>. Needs AZURE_RESOURCE_GROUP, FUNCTION_APP.
# `az functionapp deployment source config-zip --build-remote false` would build it once more on Azure, by whatever Python
# its builders have: for apps in Python it drops that option (seen in azure-cli 2.91.0). So One Deploy is asked directly.
set -eu
. "$(dirname "$0")/help.sh"
arguments $# 1 1
: "${AZURE_RESOURCE_GROUP:?comes from infra/provision.sh}" "${FUNCTION_APP:?comes from infra/provision.sh}"
[ -f "$1" ] || { echo "There is no package $1: infra/package.sh builds one" >&2; exit 1; }
scm="$(az functionapp show --resource-group "$AZURE_RESOURCE_GROUP" --name "$FUNCTION_APP" \
  --query "properties.hostNameSslStates[?hostType=='Repository'].name | [0]" --output tsv)"
call() { # a token that lasts, by standard input, where no list of processes shows it
  token="$(az account get-access-token --query accessToken --output tsv)"
  printf 'header = "Authorization: Bearer %s"\n' "$token" | curl --silent --show-error --config - "$@"
}
latest() { # of the last deployment: <HTTP's status> <its id> <its own status>
  call --write-out '\n%{http_code}' "https://$scm/api/deployments/latest" | "${PYTHON:-python3}" -c '
import json, sys
body, code = sys.stdin.read().rsplit("\n", 1)
try:
    told = json.loads(body)
except ValueError:
    told = {}
print(code, told.get("id") or "-", told.get("status") or 0)'
}

former="$(latest | cut -d ' ' -f 2)"
[ "$former" != - ] || former=none
tries=0
until call --fail --request POST --header 'Content-Type: application/zip' --data-binary "@$1" --output /dev/null \
  "https://$scm/api/publish?RemoteBuild=false&Deployer=meshward"; do
  tries=$((tries + 1))
  [ "$tries" -lt 10 ] || { echo "The upload was refused for 10 minutes: are the roles there (infra/roles.sh)?" >&2; exit 1; }
  echo "The upload was refused. A new role assignment takes up to 10 minutes, a new site's SCM answers 503 at first; again in 60 s"
  sleep 60
done

# As azure-cli reads it: once a deployment was under way, the site's forgetting it means that it started anew with it.
tries=0 seen=no
while :; do
  told="$(latest)"
  case "$told" in
    "404 "*) [ "$seen" = no ] || break ;;
    *" $former "*) ;; # the one before is the last one still
    *" 4") break ;;
    *" -1") lost="was cancelled" ;;
    *" 3") lost="failed" ;;
    *" 5") lost="was cancelled for another one" ;;
    *" 6") lost="succeeded in part only" ;;
    "202 "*) seen=yes ;;
  esac
  tries=$((tries + 1))
  [ "$tries" -lt 60 ] || lost="hasn't ended after 10 minutes"
  if [ -n "${lost:-}" ]; then
    echo "The deployment of the package $lost ($told): az functionapp log deployment show -g $AZURE_RESOURCE_GROUP -n $FUNCTION_APP" >&2
    exit 1
  fi
  sleep 10
done
