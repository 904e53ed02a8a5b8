// What roles.json grants on something whose backups are verified, or that restores go to, in this group.

@description('What it is, as roles.json calls it.')
@allowed(['shareAccount', 'machineGroup', 'scratchGroup'])
param kind string

@description('Name of the account, or of this group.')
param name string

@description('Object ids of the identities, by the names that roles.json uses.')
param principals object

var table = any(loadJsonContent('../roles.json'))
var onGroups = {
  machineGroup: filter(table.assignments, each => each.at == 'machineGroup')
  scratchGroup: filter(table.assignments, each => each.at == 'scratchGroup')
  shareAccount: []
}
var onAccounts = filter(table.assignments, each => each.at == 'shareAccount')

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: name
}

resource onAccount 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in onAccounts: if (kind == 'shareAccount') {
    name: guid(account.id, principals[each.identity], each.role)
    scope: account
    properties: {
      principalId: principals[each.identity]
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId(
        'Microsoft.Authorization/roleDefinitions',
        contains(table.custom, each.role) ? guid(subscription().id, each.role) : table.builtIn[each.role]
      )
    }
  }
]

resource onGroup 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in onGroups[kind]: {
    name: guid(resourceGroup().id, principals[each.identity], each.role)
    properties: {
      principalId: principals[each.identity]
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId(
        'Microsoft.Authorization/roleDefinitions',
        guid(subscription().id, each.role)
      )
    }
  }
]
