import { placeType } from 'types.bicep'

@description('Where, with which names and tags.')
param place placeType

@description('Whether only a private endpoint reaches the topic.')
param private bool

@description('Workspace that gets the log of what couldn\'t be published or delivered.')
param workspaceId string

resource topic 'Microsoft.EventGrid/topics@2025-02-15' = {
  name: place.names.topic
  location: place.location
  tags: place.tags
  identity: { type: 'SystemAssigned' }
  properties: {
    disableLocalAuth: true
    inputSchema: 'CloudEventSchemaV1_0'
    minimumTlsVersionAllowed: '1.2'
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
  }
}

resource log 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'log'
  scope: topic
  properties: { workspaceId: workspaceId, logs: [{ categoryGroup: 'allLogs', enabled: true }] }
}

@description('Where events are published.')
output url string = topic.properties.endpoint

@description('Object id of the topic\'s identity, which puts dead letters down.')
output principalId string = topic.identity.principalId
