// Lets a topic put its dead letters down. Behind a firewall only a topic's own identity gets through.

@description('The account that keeps dead letters.')
param accountName string

@description('Object id of the topic\'s identity.')
param principalId string

var storageBlobDataContributor = any(loadJsonContent('../roles.json')).builtIn['Storage Blob Data Contributor']

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: accountName

  resource blobs 'blobServices' existing = {
    name: 'default'

    resource letters 'containers' existing = {
      name: 'deadletters'
    }
  }
}

resource contributor 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account::blobs::letters.id, principalId)
  scope: account::blobs::letters
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageBlobDataContributor)
  }
}
