using 'events.bicep'

param resourceGroupName = readEnvironmentVariable('AZURE_RESOURCE_GROUP', 'rg-meshward')
param functionAppName = readEnvironmentVariable('FUNCTION_APP', 'func-meshward')
param fleet = [
  { subscriptionId: readEnvironmentVariable('AZURE_SUBSCRIPTION_ID', '00000000-0000-0000-0000-000000000000') }
]
