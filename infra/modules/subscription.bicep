// A subscription of the fleet: what roles.json grants there.
targetScope = 'subscription'

@description('Object ids of the identities, by the names that roles.json uses.')
param principals object

var table = any(loadJsonContent('../roles.json'))
var write = 'Microsoft.Authorization/roleAssignments/write'
var roles = '@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId]'
var types = '@Request[Microsoft.Authorization/roleAssignments:PrincipalType]'
var grantable = join(map(items(table.grantable), each => string(each.value)), ', ')

var ids = '@Request[Microsoft.Authorization/roleAssignments:PrincipalId]'
var ours = join(map(items(principals), each => string(each.value)), ', ')

// Whoever may assign roles may assign these alone, to managed identities and applications alone, and to none of our own.
var condition = '((!(ActionMatches{\'${write}\'})) OR (${roles} ForAnyOfAnyValues:GuidEquals {${grantable}} AND ${types} ForAnyOfAnyValues:StringEqualsIgnoreCase {\'ServicePrincipal\'} AND ${ids} ForAnyOfAllValues:GuidNotEquals {${ours}}))'

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in filter(table.assignments, each => each.at == 'subscription'): {
    name: guid(subscription().id, principals[each.identity], each.role)
    properties: {
      principalId: principals[each.identity]
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId(
        'Microsoft.Authorization/roleDefinitions',
        guid(subscription().id, each.role)
      )
      condition: contains(table.custom[each.role].actions, write) ? condition : null
      conditionVersion: contains(table.custom[each.role].actions, write) ? '2.0' : null
    }
  }
]
