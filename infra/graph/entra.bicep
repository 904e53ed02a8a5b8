// What ../entra.sh does, by the Microsoft Graph extension. It is a deployment of its own: compiling it needs the
// extension from Microsoft's registry, and deploying it needs rights in Entra ID that ../main.bicep does without.
extension microsoftGraphV1

import { callerType } from 'types.bicep'

@description('Unique name of the registration, which its deletion doesn\'t set free.')
param name string = 'meshward'

@description('Who may call.')
param callers callerType[] = []

var roles = loadJsonContent('../app-roles.json')
var scopes = loadJsonContent('../app-scope.json')
var azureCli = '04b07795-8ddb-461a-bbee-02f9e1bf7b46'

resource app 'Microsoft.Graph/applications@v1.0' = {
  uniqueName: name
  displayName: name
  signInAudience: 'AzureADMyOrg'
  identifierUris: ['api://${tenant().tenantId}/${name}']
  api: {
    requestedAccessTokenVersion: 2
    oauth2PermissionScopes: scopes
    preAuthorizedApplications: [{ appId: azureCli, delegatedPermissionIds: [scopes[0].id] }]
  }
  appRoles: roles
}

resource service 'Microsoft.Graph/servicePrincipals@v1.0' = {
  appId: app.appId
  appRoleAssignmentRequired: true
}

resource assignments 'Microsoft.Graph/appRoleAssignedTo@v1.0' = [
  for caller in callers: {
    principalId: caller.principalId
    resourceId: service.id
    appRoleId: first(filter(roles, role => role.value == caller.role)).id
  }
]

@description('MESHWARD_AUDIENCE: version 2 tokens name the bare id.')
output audience string = app.appId

@description('What callers ask tokens for; the audience does as well.')
output resource string = app.identifierUris[0]
