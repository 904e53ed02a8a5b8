using 'events.bicep'

param resourceGroupName = readEnvironmentVariable('AZURE_RESOURCE_GROUP', 'rg-meshward')
param functionAppName = readEnvironmentVariable('FUNCTION_APP', 'func-meshward')

// Several subscriptions: their ids, separated by commas, as MESHWARD_SUBSCRIPTION_IDS.
var several = readEnvironmentVariable('MESHWARD_SUBSCRIPTION_IDS', '')
var own = readEnvironmentVariable('AZURE_SUBSCRIPTION_ID', '00000000-0000-0000-0000-000000000000')

param fleet = map(split(empty(several) ? own : several, ','), id => { subscriptionId: id })
