// A storage account whose backed-up file shares are verified.

import { identitiesType } from 'types.bicep'

@description('Name of the account.')
param accountName string

@description('The identities, by the names that roles.json uses.')
param identities identitiesType

var table = any(loadJsonContent('../roles.json'))

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: accountName
}

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in filter(table.assignments, each => each.at == 'shareAccount'): {
    name: guid(account.id, each.identity, each.role)
    scope: account
    properties: {
      principalId: identities[each.identity].principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId(
        'Microsoft.Authorization/roleDefinitions',
        contains(table.custom, each.role) ? guid(subscription().id, each.role) : table.builtIn[each.role]
      )
    }
  }
]
