// What roles.json grants on the resources of this group.

import { identitiesType } from 'types.bicep'

@description('The identities, by the names that roles.json uses.')
param identities identitiesType

@description('The host\'s storage account.')
param hostAccountName string

@description('The storage account of ledger and evidence.')
param storeAccountName string

@description('The key vault of the trust roots.')
param vaultName string

@description('The event topic.')
param topicName string

@description('The Application Insights component.')
param insightsName string

var table = any(loadJsonContent('../roles.json'))

resource hostAccount 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: hostAccountName
}

resource store 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: storeAccountName
}

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: vaultName
}

resource topic 'Microsoft.EventGrid/topics@2025-02-15' existing = {
  name: topicName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource onHostStorage 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in filter(table.assignments, each => each.at == 'hostStorage'): {
    name: guid(hostAccount.id, identities[each.identity].principalId, each.role)
    scope: hostAccount
    properties: {
      principalId: identities[each.identity].principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', table.builtIn[each.role])
    }
  }
]

resource onStore 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in filter(table.assignments, each => each.at == 'store'): {
    name: guid(store.id, identities[each.identity].principalId, each.role)
    scope: store
    properties: {
      principalId: identities[each.identity].principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', table.builtIn[each.role])
    }
  }
]

resource onVault 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in filter(table.assignments, each => each.at == 'keyVault'): {
    name: guid(vault.id, identities[each.identity].principalId, each.role)
    scope: vault
    properties: {
      principalId: identities[each.identity].principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', table.builtIn[each.role])
    }
  }
]

resource onTopic 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in filter(table.assignments, each => each.at == 'eventTopic'): {
    name: guid(topic.id, identities[each.identity].principalId, each.role)
    scope: topic
    properties: {
      principalId: identities[each.identity].principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', table.builtIn[each.role])
    }
  }
]

resource onInsights 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in filter(table.assignments, each => each.at == 'insights'): {
    name: guid(insights.id, identities[each.identity].principalId, each.role)
    scope: insights
    properties: {
      principalId: identities[each.identity].principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', table.builtIn[each.role])
    }
  }
]
