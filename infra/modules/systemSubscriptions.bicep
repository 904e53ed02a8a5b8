// Subscriptions of a system topic that is there, as subscriptions.json says.
import { targetType } from 'types.bicep'

@description('Name of the system topic.')
param topicName string

@description('Kind of the source, as subscriptions.json names it.')
param kind string

@description('Where events go.')
param target targetType

@description('Receivers of mail of the installation\'s action group.')
param mails { name: string, emailAddress: string, useCommonAlertSchema: bool }[]

var table = any(loadJsonContent('../subscriptions.json'))

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: topicName
}

module deadLetterAlert 'deadLetterAlert.bicep' = {
  params: { topicId: topic.id, target: target, mails: mails }
}

resource subscription 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = [
  for each in filter(table.subscriptions, each => each.topic == kind): {
    parent: topic
    name: '${target.names.base}-${replace(each.function, '_', '-')}'
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
          properties: { resourceId: target.deadLetterAccountId, blobContainerName: 'deadletters' }
        }
      }
    }
  }
]
