#!/bin/sh
# Show what a rollout would change, and change nothing: resources, and once these are there also roles, locks, event
# subscriptions and their alerts. Needs what infra/deploy.sh needs.
set -eu
. "$(dirname "$0")/help.sh"
arguments $# 0 0
cd "$(dirname "$0")/.."
: "${AZURE_ENV_NAME:?names the installation}" "${AZURE_LOCATION:?is its region}"
: "${MESHWARD_AUDIENCE:?comes from infra/entra.sh}"
told="$(infra/before.sh look)"
for each in $told; do
  export "$each"
done

show() { # <template>, to whoever may only read, too
  echo "== infra/$1.bicep"
  az deployment sub what-if --validation-level ProviderNoRbac --name "meshward-$AZURE_ENV_NAME-what-if" \
    --location "$AZURE_LOCATION" --template-file "infra/$1.bicep" --parameters "infra/$1.bicepparam"
}
show main
# A deployment that can't be looked at isn't one that isn't there: what it makes would be agreed to unseen.
deployed="$(az deployment sub list --output tsv \
  --query "[?name=='meshward-$AZURE_ENV_NAME-$AZURE_LOCATION' && properties.provisioningState=='Succeeded'].name")"
if [ -n "$deployed" ]; then
  MESHWARD_MADE="$(infra/output.sh MESHWARD_MADE)"
  MESHWARD_TOPIC_PRINCIPALS="$(infra/output.sh MESHWARD_TOPIC_PRINCIPALS)"
  export MESHWARD_MADE MESHWARD_TOPIC_PRINCIPALS
  show roles
  show events
else
  echo "Roles and event subscriptions can be shown once a deployment of infra/main.bicep has succeeded: look again then."
fi
