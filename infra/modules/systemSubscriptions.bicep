// Subscriptions of a system topic that is there, as subscriptions.json says.
import { targetType } from 'types.bicep'

@description('Name of the system topic.')
param topicName string

@description('Kind of the source, as subscriptions.json names it.')
param kind string

@description('Where events go.')
param target targetType

var table = any(loadJsonContent('../subscriptions.json'))
var account = resourceId(
  target.deadLetterSubscription,
  target.deadLetterGroup,
  'Microsoft.Storage/storageAccounts',
  target.deadLetterAccount
)

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: topicName
}

resource subscription 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = [
  for each in filter(table.subscriptions, each => each.topic == kind): {
    parent: topic
    name: '${target.base}-${replace(each.function, '_', '-')}'
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
  }
]
