#!/bin/sh
# Print the system topics that the subscriptions of the fleet have already, separated by commas: each can have only one that
# tells of its resources, so another's is used. Needs MESHWARD_SUBSCRIPTION_IDS.
set -eu
found="$(for each in $(echo "${MESHWARD_SUBSCRIPTION_IDS:?}" | tr , ' ' | tr 'A-Z' 'a-z'); do
  # A subscription is also the source of other topics, such as those of Azure Policy.
  az eventgrid system-topic list --subscription "$each" --output tsv \
    --query "[?topicType=='Microsoft.Resources.Subscriptions'].[source, id]" || exit
done)" # a subscription that can't be looked at isn't one without a topic
echo "$found" | awk -F '\t' 'tolower($1) ~ /^\/subscriptions\/[^\/]+$/ { print $2 }' | paste -s -d , -
