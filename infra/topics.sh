#!/bin/sh
# Print the system topics that the subscriptions of the fleet have already, separated by commas: each can have only one,
# so another's is used. Needs MESHWARD_SUBSCRIPTION_IDS.
set -eu
found="$(for each in $(echo "${MESHWARD_SUBSCRIPTION_IDS:?}" | tr , ' ' | tr 'A-Z' 'a-z'); do
  az eventgrid system-topic list --subscription "$each" --output tsv --query "[?source=='/subscriptions/$each'].id" || exit
done)" # a subscription that can't be looked at isn't one without a topic
echo "$found" | paste -s -d , -
