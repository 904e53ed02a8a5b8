// A system topic, made or there already, its subscriptions, and what they need.
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

resource made 'Microsoft.EventGrid/systemTopics@2025-02-15' = if (!present) {
  name: topicName
  location: location
  identity: { type: 'SystemAssigned' }
  properties: { source: source, topicType: topicType }
}

resource theirs 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = if (present) {
  name: topicName
}

module deadLetters 'deadLetters.bicep' = {
  scope: resourceGroup(target.deadLetterSubscription, target.deadLetterGroup)
  params: {
    accountName: target.deadLetterAccount
    principalId: present ? theirs!.identity.principalId : made!.identity.principalId
  }
}

module deadLetterAlert 'deadLetterAlert.bicep' = {
  params: { topicId: resourceId('Microsoft.EventGrid/systemTopics', topicName), target: target }
  dependsOn: [made]
}

module subscriptions 'systemSubscriptions.bicep' = {
  params: { topicName: topicName, kind: kind, target: target }
  dependsOn: [made, deadLetters]
}
