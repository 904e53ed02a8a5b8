// What roles.json grants on the key vault of the trust roots, and its lock.

@description('Name of the vault.')
param vaultName string

@description('Object ids of the identities, by the names that roles.json uses.')
param principals object

@description('Whether the vault is locked against deletion.')
param lock bool

var table = any(loadJsonContent('../roles.json'))

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: vaultName
}

resource onVault 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in filter(table.assignments, each => each.at == 'keyVault'): {
    name: guid(vault.id, principals[each.identity], each.role)
    scope: vault
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

resource kept 'Microsoft.Authorization/locks@2020-05-01' = if (lock) {
  name: 'meshward'
  scope: vault
  properties: { level: 'CanNotDelete', notes: 'The trust roots of Meshward.' }
}
