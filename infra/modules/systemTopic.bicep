// A system topic, made or there already. Its subscriptions come after the code: events.bicep.
import { placeType } from 'types.bicep'

@description('Where, with which names and tags.')
param place placeType

@description('Resource id of the topic, in this group.')
param id string

@description('Whether it is there already and isn\'t ours. It needs a system-assigned identity for dead letters.')
param present bool

@description('Resource id of what sends the events.')
param source string

@description('Kind of the source, as Event Grid names it.')
param topicType string

@description('Region of the source; global for a subscription.')
param location string

@description('Workspace that gets the log of what couldn\'t be delivered.')
param workspaceId string

resource made 'Microsoft.EventGrid/systemTopics@2025-02-15' = if (!present) {
  name: last(split(id, '/'))
  location: location
  tags: place.tags
  identity: { type: 'SystemAssigned' }
  properties: { source: source, topicType: topicType }
}

resource log 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (!present) {
  name: 'log'
  scope: made
  properties: { workspaceId: workspaceId, logs: [{ categoryGroup: 'allLogs', enabled: true }] }
}

resource theirs 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = if (present) {
  name: last(split(id, '/'))
}

@description('Object id of the topic\'s identity, which puts dead letters down.')
output principalId string = present ? theirs!.identity.principalId : made!.identity.principalId
