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

show() { # <template>
  echo "== infra/$1.bicep"
  az deployment sub what-if --name "meshward-$AZURE_ENV_NAME-what-if" --location "$AZURE_LOCATION" \
    --template-file "infra/$1.bicep" --parameters "infra/$1.bicepparam"
}
show main
if MESHWARD_MADE="$(infra/output.sh MESHWARD_MADE)"; then
  MESHWARD_TOPIC_PRINCIPALS="$(infra/output.sh MESHWARD_TOPIC_PRINCIPALS)"
  export MESHWARD_MADE MESHWARD_TOPIC_PRINCIPALS
  show roles
  show events
else
  echo "Roles and event subscriptions can be shown once the identities and topics above are there."
fi
