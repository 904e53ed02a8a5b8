import { placeType } from 'types.bicep'

@description('Where, with which names and tags.')
param place placeType

@description('Whether only a private endpoint reaches the scheduler.')
param private bool

@description('Workspace that gets its log.')
param workspaceId string

resource scheduler 'Microsoft.DurableTask/schedulers@2026-02-01' = {
  name: place.names.scheduler
  location: place.location
  tags: place.tags
  properties: {
    ipAllowlist: private ? [] : ['0.0.0.0/0']
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
    sku: { name: 'Consumption' }
  }

  resource hub 'taskHubs' = {
    name: 'meshward5'
  }
}

resource log 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'log'
  scope: scheduler
  properties: { workspaceId: workspaceId, logs: [{ categoryGroup: 'allLogs', enabled: true }] }
}

@description('Where the host finds its task hub; names no key.')
output endpoint string = 'Endpoint=${scheduler.properties.endpoint};TaskHub=${scheduler::hub.name}'
