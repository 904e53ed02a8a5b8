// After the code: event subscriptions, which can only point at functions that are known already, and alerts on events
// that were given up. Needs Contributor where the topics are.
targetScope = 'subscription'

import { fleetType, madeType } from 'modules/types.bicep'

@description('What main.bicep has made: its output MESHWARD_MADE.')
param made madeType

@description('Subscriptions whose clusters are looked after, as in main.bicep.')
@minLength(1)
param fleet fleetType[] = [{ subscriptionId: subscription().subscriptionId }]

var home = subscription().subscriptionId
var target = {
  names: made.names
  tags: made.tags
  functionAppId: resourceId(home, made.names.resourceGroup, 'Microsoft.Web/sites', made.names.functionApp)
  deadLetterAccountId: resourceId(home, made.names.resourceGroup, 'Microsoft.Storage/storageAccounts', made.names.hostAccount)
  actionGroupId: made.actionGroupId
}
var topics = map(fleet, each => each.?systemTopicId ?? resourceId(each.subscriptionId, made.names.eventsGroup, 'Microsoft.EventGrid/systemTopics', '${made.names.systemTopic}-clusters'))
var mails = map(actions.properties.emailReceivers, each => {
  name: each.name
  emailAddress: each.emailAddress
  useCommonAlertSchema: true
})

resource actions 'Microsoft.Insights/actionGroups@2023-01-01' existing = {
  scope: resourceGroup(split(made.actionGroupId, '/')[2], split(made.actionGroupId, '/')[4])
  name: last(split(made.actionGroupId, '/'))
}

module own 'modules/ownEvents.bicep' = {
  scope: resourceGroup(made.names.resourceGroup)
  params: { target: target, mails: mails }
}

module certificates 'modules/systemSubscriptions.bicep' = {
  scope: resourceGroup(split(made.keyVaultTopicId, '/')[2], split(made.keyVaultTopicId, '/')[4])
  params: { topicName: last(split(made.keyVaultTopicId, '/')), kind: 'keyVault', target: target, mails: mails }
}

module clusters 'modules/systemSubscriptions.bicep' = [
  for id in topics: {
    scope: resourceGroup(split(id, '/')[2], split(id, '/')[4])
    params: { topicName: last(split(id, '/')), kind: 'subscription', target: target, mails: mails }
  }
]
