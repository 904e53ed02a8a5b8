#!/bin/sh
# Exits with 1 unless what infra/main.bicep has put out tells of what is there, and of what the parameters say. Roles with a
# right to deploy are many, and each may write outputs under its deployment's name.
# Needs MESHWARD_MADE, AZURE_ENV_NAME and what infra/given.sh exports; MESHWARD_TOPIC_PRINCIPALS if these are to get a role.
set -eu
cd "$(dirname "$0")"
. ./given.sh
name="$(echo "${AZURE_ENV_NAME:?names the installation}" | tr 'A-Z_' 'a-z-')"
group="$(given "p.get('names', {}).get('resourceGroup', 'rg-$name')")"
vault="$(given "p.get('reuse', {}).get('keyVaultId') or ''" | cut -d / -f 3)"

there="$(
  az identity list --subscription "$AZURE_SUBSCRIPTION_ID" --resource-group "$group" --output tsv \
    --query "[].['identity', name, principalId]" || exit
  az eventgrid topic list --subscription "$AZURE_SUBSCRIPTION_ID" --output tsv \
    --query "[].['topic', id, identity.principalId]" || exit
  for each in $(printf '%s\n' "$AZURE_SUBSCRIPTION_ID" $vault $(echo "$MESHWARD_SUBSCRIPTION_IDS" | tr , ' ') | tr 'A-Z' 'a-z' | sort -u); do
    az eventgrid system-topic list --subscription "$each" --output tsv \
      --query "[?topicType=='Microsoft.Resources.Subscriptions' || topicType=='Microsoft.KeyVault.vaults'].['systemTopic', id, identity.principalId, source]" || exit
  done
)"
printf '%s\n' "$there" | "${PYTHON:-python3}" trusted.py "$group" >&2
