using 'events.bicep'

param resourceGroupName = readEnvironmentVariable('AZURE_RESOURCE_GROUP', 'rg-meshward')
param functionAppName = readEnvironmentVariable('FUNCTION_APP', 'func-meshward')

// Several subscriptions: their ids, separated by commas, as MESHWARD_SUBSCRIPTION_IDS.
var several = readEnvironmentVariable('MESHWARD_SUBSCRIPTION_IDS', '')
var own = readEnvironmentVariable('AZURE_SUBSCRIPTION_ID', '00000000-0000-0000-0000-000000000000')

// System topics of the fleet that aren't this installation's, as infra/after-code.sh finds them.
var topics = split(readEnvironmentVariable('MESHWARD_SYSTEM_TOPICS', ''), ',')

param fleet = map(split(empty(several) ? own : several, ','), id => {
  subscriptionId: id
  systemTopicId: first(filter(topics, topic => startsWith(topic, '/subscriptions/${id}/')))
})
