import { identityType, placeType } from 'types.bicep'

@description('Where, with which names and tags.')
param place placeType

@description('The identity that runs the host.')
param host identityType

var durableTaskDataContributor = '0ad04412-c4d5-4796-b79c-f76d14c8d402'

resource scheduler 'Microsoft.DurableTask/schedulers@2025-11-01' = {
  name: 'dts-${place.base}'
  location: place.location
  tags: place.tags
  properties: {
    ipAllowlist: ['0.0.0.0/0']
    sku: { name: 'Consumption' }
  }

  resource hub 'taskHubs' = {
    name: 'meshward4'
  }
}

resource contributor 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(scheduler.id, host.principalId, durableTaskDataContributor)
  scope: scheduler
  properties: {
    principalId: host.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', durableTaskDataContributor)
  }
}

@description('How the host finds it; names no key.')
output connection string = 'Endpoint=${scheduler.properties.endpoint};TaskHub=${scheduler::hub.name};Authentication=ManagedIdentity;ClientID=${host.clientId}'
