#!/bin/sh
# Print the system topics that the subscriptions of the fleet have already, separated by commas: each can have only one,
# so another's is used. Needs MESHWARD_SUBSCRIPTION_IDS.
set -eu
for each in $(echo "${MESHWARD_SUBSCRIPTION_IDS:?}" | tr , ' '); do
  az eventgrid system-topic list --subscription "$each" --output tsv --query "[?source=='/subscriptions/$each'].id"
done | paste -s -d , -
