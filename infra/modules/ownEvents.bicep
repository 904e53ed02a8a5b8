// Subscriptions of our own topic, as subscriptions.json says.
import { targetType } from 'types.bicep'

@description('Name of the topic.')
param topicName string

@description('Where events go.')
param target targetType

var table = any(loadJsonContent('../subscriptions.json'))

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: target.deadLetterAccount
}

resource topic 'Microsoft.EventGrid/topics@2025-02-15' existing = {
  name: topicName
}

module deadLetterAlert 'deadLetterAlert.bicep' = {
  params: { topicId: topic.id, target: target }
}

resource subscription 'Microsoft.EventGrid/topics/eventSubscriptions@2025-02-15' = [
  for each in filter(table.subscriptions, each => each.topic == 'own'): {
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
          properties: { resourceId: account.id, blobContainerName: 'deadletters' }
        }
      }
    }
  }
]
