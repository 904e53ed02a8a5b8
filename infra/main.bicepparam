using 'main.bicep'

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'meshward')
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param audience = readEnvironmentVariable('MESHWARD_AUDIENCE', '00000000-0000-0000-0000-000000000000')

// Several subscriptions: their ids, separated by commas, as MESHWARD_SUBSCRIPTION_IDS.
var several = readEnvironmentVariable('MESHWARD_SUBSCRIPTION_IDS', '')
var own = readEnvironmentVariable('AZURE_SUBSCRIPTION_ID', '00000000-0000-0000-0000-000000000000')

param fleet = map(split(empty(several) ? own : several, ','), id => { subscriptionId: id })
