#!/bin/sh
# Put a package into the function app as it is: publish.sh <zip>. Needs AZURE_RESOURCE_GROUP, FUNCTION_APP.
# `az functionapp deployment source config-zip --build-remote false` would build it once more on Azure, by whatever Python
# its builders have: for apps in Python it drops that option (seen in azure-cli 2.91.0). So One Deploy is asked directly.
set -eu
: "${AZURE_RESOURCE_GROUP:?}" "${FUNCTION_APP:?}"
scm="$(az functionapp show --resource-group "$AZURE_RESOURCE_GROUP" --name "$FUNCTION_APP" \
  --query "properties.hostNameSslStates[?hostType=='Repository'].name | [0]" --output tsv)"
call() { # the token goes by standard input, where no list of processes shows it
  token="$(az account get-access-token --query accessToken --output tsv)"
  printf 'header = "Authorization: Bearer %s"\n' "$token" | curl --silent --show-error --fail --config - "$@"
}

tries=0
until call --request POST --header 'Content-Type: application/zip' --data-binary "@$1" --output /dev/null \
  "https://$scm/api/publish?RemoteBuild=false&Deployer=meshward"; do
  tries=$((tries + 1))
  [ "$tries" -lt 10 ] || exit 1
  echo "The upload was refused. A new role assignment takes up to 10 minutes, a new site's SCM answers 503 at first; again in 60 s"
  sleep 60
done

tries=0
while :; do # 4 is success, 3 failure, less is under way
  state="$(call "https://$scm/api/deployments/latest" | "${PYTHON:-python3}" -c 'import json, sys; print(json.load(sys.stdin).get("status"))' || echo unknown)"
  [ "$state" != 4 ] || break
  tries=$((tries + 1))
  if [ "$state" = 3 ] || [ "$tries" -ge 60 ]; then
    echo "The package wasn't taken (status $state): az functionapp log deployment show -g $AZURE_RESOURCE_GROUP -n $FUNCTION_APP" >&2
    exit 1
  fi
  sleep 10
done
