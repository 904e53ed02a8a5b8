// Our own roles, in a subscription of the fleet or of the installation.
targetScope = 'subscription'

var table = any(loadJsonContent('../roles.json'))

resource custom 'Microsoft.Authorization/roleDefinitions@2022-04-01' = [
  for role in items(table.custom): {
    name: guid(subscription().id, role.key)
    properties: {
      roleName: '${role.key} (${subscription().subscriptionId})'
      description: role.value.description
      type: 'CustomRole'
      assignableScopes: [subscription().id]
      permissions: [
        {
          actions: role.value.actions
          notActions: []
          dataActions: role.value.?dataActions ?? []
          notDataActions: []
        }
      ]
    }
  }
]
