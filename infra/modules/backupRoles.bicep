// What roles.json grants on the group of the Backup vaults of a subscription.

@description('Object ids of the identities, by the names that roles.json uses.')
param principals object

var table = any(loadJsonContent('../roles.json'))

resource onGroup 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in filter(table.assignments, each => each.at == 'backupGroup'): {
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
