#!/bin/sh
# Show what a rollout would change, and change nothing: resources, and once these are there also roles, locks, event
# subscriptions and their alerts. Needs what infra/deploy.sh needs.
set -eu
cd "$(dirname "$0")/.."
: "${AZURE_ENV_NAME:?}" "${AZURE_LOCATION:?}" "${MESHWARD_AUDIENCE:?}"
. infra/given.sh
name="$(echo "$AZURE_ENV_NAME" | tr 'A-Z_' 'a-z-')"
AZURE_RESOURCE_GROUP="$(given "p.get('names', {}).get('resourceGroup', 'rg-$name')")"
export AZURE_RESOURCE_GROUP
MESHWARD_EVIDENCE_STATE="$(infra/evidence.sh state)"
MESHWARD_SYSTEM_TOPICS="$(infra/topics.sh)"
export MESHWARD_EVIDENCE_STATE MESHWARD_SYSTEM_TOPICS

show() { # <template>
  echo "== infra/$1.bicep"
  az deployment sub what-if --name "meshward-$name-what-if" --location "$AZURE_LOCATION" \
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
