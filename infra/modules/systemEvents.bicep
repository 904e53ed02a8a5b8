// Subscriptions of a system topic, as subscriptions.json says.
import { targetType } from 'types.bicep'

@description('Name of the system topic.')
param topicName string

@description('Region of its source; global for a subscription.')
param location string

@description('Resource id of what sends the events.')
param source string

@description('Kind of the source, as Event Grid names it.')
param topicType string

@description('Kind of the source, as subscriptions.json names it.')
param kind string

@description('Whether the topic is there already and isn\'t ours. It needs a system-assigned identity for dead letters.')
param present bool = false

@description('Where events go.')
param target targetType

var table = any(loadJsonContent('../subscriptions.json'))
var account = resourceId(
  target.deadLetterSubscription,
  target.deadLetterGroup,
  'Microsoft.Storage/storageAccounts',
  target.deadLetterAccount
)

resource made 'Microsoft.EventGrid/systemTopics@2025-02-15' = if (!present) {
  name: topicName
  location: location
  identity: { type: 'SystemAssigned' }
  properties: { source: source, topicType: topicType }
}

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: topicName
}

module deadLetters 'deadLetters.bicep' = {
  scope: resourceGroup(target.deadLetterSubscription, target.deadLetterGroup)
  params: {
    accountName: target.deadLetterAccount
    topicId: topic.id
    principalId: present ? topic.identity.principalId : made!.identity.principalId
  }
}

module deadLetterAlert 'deadLetterAlert.bicep' = {
  params: { topicId: topic.id, actionGroupId: target.actionGroupId }
  dependsOn: [made]
}

resource subscription 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = [
  for each in filter(table.subscriptions, each => each.topic == kind): {
    parent: topic
    name: 'meshward-${replace(each.function, '_', '-')}'
    properties: {
      eventDeliverySchema: 'CloudEventSchemaV1_0'
      destination: {
        endpointType: 'AzureFunction'
        properties: {
          resourceId: '${target.functionAppId}/functions/${each.function}'
          maxEventsPerBatch: 1
          preferredBatchSizeInKilobytes: 64
        }
      }
      filter: { includedEventTypes: each.types, advancedFilters: each.filters }
      retryPolicy: { maxDeliveryAttempts: table.retry.attempts, eventTimeToLiveInMinutes: table.retry.minutes }
      deadLetterWithResourceIdentity: {
        identity: { type: 'SystemAssigned' }
        deadLetterDestination: {
          endpointType: 'StorageBlob'
          properties: { resourceId: account, blobContainerName: 'deadletters' }
        }
      }
    }
    dependsOn: [deadLetters]
  }
]
