// After the code: system topics and event subscriptions, which can only point at functions that are known already.
targetScope = 'subscription'

import { fleetType } from 'modules/types.bicep'

@description('Resource group of the installation.')
param resourceGroupName string

@description('Name of the function app.')
param functionAppName string

@description('Subscriptions whose clusters are looked after, as in main.bicep.')
param fleet fleetType[] = [{ subscriptionId: subscription().subscriptionId }]

resource group 'Microsoft.Resources/resourceGroups@2024-11-01' existing = {
  name: resourceGroupName
}

resource app 'Microsoft.Web/sites@2024-11-01' existing = {
  scope: group
  name: functionAppName
}

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  scope: group
  name: take('kv-${base}', 24)
}

resource actions 'Microsoft.Insights/actionGroups@2023-01-01' existing = {
  scope: group
  name: 'ag-${base}'
}

var base = substring(functionAppName, length('func-'))
var target = {
  base: base
  functionAppId: app.id
  deadLetterGroup: group.name
  deadLetterSubscription: subscription().subscriptionId
  deadLetterAccount: 'st${replace(base, '-', '')}h'
  actionGroupId: actions.id
  mails: map(actions.properties.emailReceivers, each => {
    name: each.name
    emailAddress: each.emailAddress
    useCommonAlertSchema: true
  })
}

module own 'modules/ownEvents.bicep' = {
  scope: group
  params: { topicName: 'evgt-${base}', target: target }
}

module certificates 'modules/systemEvents.bicep' = {
  scope: group
  params: {
    topicName: 'egst-${base}-vault'
    location: group.location
    source: vault.id
    topicType: 'Microsoft.KeyVault.vaults'
    kind: 'keyVault'
    target: target
  }
}

module clusters 'modules/clusterEvents.bicep' = [
  for member in fleet: {
    scope: subscription(member.subscriptionId)
    params: { base: base, location: group.location, systemTopicId: member.?systemTopicId, target: target }
  }
]
