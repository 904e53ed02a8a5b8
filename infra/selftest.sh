#!/bin/sh
# Run the app's self-test and print its findings: selftest.sh <host name or URL of the app>. Exits with 1 if one is bad.
# Needs MESHWARD_AUDIENCE, and a login that may call the app: infra/entra.sh assign operator <object id>.
set -eu
. "$(dirname "$0")/help.sh"
arguments $# 1 1
case "$1" in *://*) app="$1" ;; *) app="https://$1" ;; esac
# by the bare id, which every registration answers to, whatever its URI is
token="$(az account get-access-token --resource "${MESHWARD_AUDIENCE:?comes from infra/entra.sh}" --query accessToken --output tsv)"
call() {
  printf 'header = "Authorization: Bearer %s"\n' "$token" | curl --silent --show-error --fail --config - "$@"
}
status="$app$(call --request POST --data '' "$app/api/selftest" | "${PYTHON:-python3}" -c 'import json, sys; print(json.load(sys.stdin)["status_url"])')"
tries=0
while :; do
  tries=$((tries + 1))
  [ "$tries" -le 90 ] || { echo "It hasn't ended after 15 minutes: the app's log says why" >&2; exit 1; }
  answer="$(call "$status")"
  result="$(printf %s "$answer" | "${PYTHON:-python3}" -c '
import json, sys
run = json.load(sys.stdin)
if run.get("result"):
    print(*(found["line"] for found in run["result"]["findings"]), sep="\n")
    print("PASSED" if run["result"]["passed"] else "FAILED")
elif run["status"] not in ("pending", "running"):
    print("FAILED", run)
')"
  [ -z "$result" ] || break
  sleep 10
done
printf '%s\n' "$result"
[ "$(printf %s "$result" | tail -n 1)" = PASSED ]
