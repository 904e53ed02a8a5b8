#!/bin/sh
# The app registration that callers ask tokens for, and who may call: idempotent, needs Application Administrator.
#   infra/entra.sh                                   prints MESHWARD_AUDIENCE, and needs it once there is one; makes
#                                                    one that is called MESHWARD_APP_NAME (meshward), without it
#   infra/entra.sh assign <role> <object id>         reader, operator, approver, agent or workload, to a user,
#                                                    group, application or managed identity
set -eu
. "$(dirname "$0")/help.sh"
case "$# ${1:-}" in "0 " | "3 assign") ;; *) wrong ;; esac
cd "$(dirname "$0")"
name="${MESHWARD_APP_NAME:-meshward}"
graph="$(az cloud show --query endpoints.microsoftGraphResourceId --output tsv)"
ask() { az rest --resource "$graph" "$@"; }
# Anybody may call theirs so, and whoever owns it says who may call us: a name makes it nobody's.
app="${MESHWARD_AUDIENCE:-}"
if [ -z "$app" ]; then
  app="$(az ad app list --filter "displayName eq '$(printf %s "$name" | sed "s/'/''/g")'" --query '[].appId' --output tsv)"
  if [ -n "$app" ]; then
    echo "Registrations are called $name. Say which of them is ours, by MESHWARD_AUDIENCE, or another name, by MESHWARD_APP_NAME:" $app >&2
    exit 1
  fi
  app="$(az ad app create --display-name "$name" --sign-in-audience AzureADMyOrg --query appId --output tsv)"
fi
az ad app update --id "$app" --identifier-uris "api://$app" --app-roles @app-roles.json
object="$(az ad app show --id "$app" --query id --output tsv)"
# Whoever is signed in to the Azure CLI may ask for a token without being asked for consent. A scope comes before those
# who may use it.
azure_cli=04b07795-8ddb-461a-bbee-02f9e1bf7b46
scopes="$(cat app-scope.json)"
scope="$(sed -n 's/.*"id": "\(.*\)".*/\1/p' app-scope.json)"
api="\"requestedAccessTokenVersion\": 2, \"oauth2PermissionScopes\": $scopes"
allowed="\"preAuthorizedApplications\": [{\"appId\": \"$azure_cli\", \"delegatedPermissionIds\": [\"$scope\"]}]"
for each in "$api" "$api, $allowed"; do
  ask --method PATCH --url "${graph%/}/v1.0/applications/$object" --body "{\"api\": {$each}}"
done
service="$(az ad sp list --filter "appId eq '$app'" --query '[0].id' --output tsv)"
if [ -z "$service" ]; then
  service="$(az ad sp create --id "$app" --query id --output tsv)"
fi
az ad sp update --id "$service" --set appRoleAssignmentRequired=true

if [ "${1:-}" = assign ]; then
  role="$(az ad sp show --id "$service" --query "appRoles[?value=='$2'].id | [0]" --output tsv)"
  [ -n "$role" ] || { echo "there is no role $2: reader, operator, approver, agent or workload" >&2; exit 1; }
  held="$(ask --url "${graph%/}/v1.0/servicePrincipals/$service/appRoleAssignedTo" \
    --query "value[?principalId=='$3' && appRoleId=='$role'] | length(@)" --output tsv)"
  [ "$held" != 0 ] || ask --method POST --output none \
    --url "${graph%/}/v1.0/servicePrincipals/$service/appRoleAssignedTo" \
    --body "{\"principalId\": \"$3\", \"resourceId\": \"$service\", \"appRoleId\": \"$role\"}"
fi
echo "MESHWARD_AUDIENCE=$app  (callers ask for $app/.default; version 2 tokens name the bare id)"
