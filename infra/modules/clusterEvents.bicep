// The events of a subscription of the fleet. A subscription can have one system topic: one that is there is used.
targetScope = 'subscription'

import { targetType } from 'types.bicep'

@description('Base of names.')
param base string

@description('Region.')
param location string

@description('Resource id of the subscription\'s system topic, if it has one already.')
param systemTopicId string?

@description('Where events go.')
param target targetType

resource group 'Microsoft.Resources/resourceGroups@2024-11-01' = if (systemTopicId == null) {
  name: 'rg-${base}-events'
  location: location
}

module events 'systemEvents.bicep' = {
  scope: resourceGroup(systemTopicId == null ? 'rg-${base}-events' : split(systemTopicId!, '/')[4])
  params: {
    topicName: systemTopicId == null ? 'egst-${base}-clusters' : last(split(systemTopicId!, '/'))
    location: 'global'
    source: subscription().id
    topicType: 'Microsoft.Resources.Subscriptions'
    kind: 'subscription'
    present: systemTopicId != null
    target: target
  }
  dependsOn: [group]
}
