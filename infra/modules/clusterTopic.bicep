// What tells of the clusters of a subscription. It can have one system topic: another's is used, and stays as it is.
targetScope = 'subscription'

import { placeType } from 'types.bicep'

@description('Where, with which names and tags.')
param place placeType

@description('Resource id of the subscription\'s system topic, if it has one already, also if that is ours.')
param systemTopicId string?

@description('Workspace that gets the log of what couldn\'t be delivered.')
param workspaceId string

var ours = resourceId(subscription().subscriptionId, place.names.eventsGroup, 'Microsoft.EventGrid/systemTopics', '${place.names.systemTopic}-clusters')
var present = toLower(systemTopicId ?? ours) != toLower(ours)
var topicId = present ? (systemTopicId ?? ours) : ours

resource group 'Microsoft.Resources/resourceGroups@2024-11-01' = if (!present) {
  name: place.names.eventsGroup
  location: place.location
  tags: place.tags
}

module topic 'systemTopic.bicep' = {
  scope: resourceGroup(split(topicId, '/')[4])
  params: {
    place: place
    id: topicId
    present: present
    source: subscription().id
    topicType: 'Microsoft.Resources.Subscriptions'
    location: 'global'
    workspaceId: workspaceId
  }
  dependsOn: [group]
}

@description('Object id of the topic\'s identity, which puts dead letters down.')
output principalId string = topic.outputs.principalId
