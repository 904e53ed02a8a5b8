import { placeType } from 'types.bicep'

@description('Where, with which names and tags.')
param place placeType

@description('Whether only a private endpoint reaches the vault.')
param private bool

@description('Whether a deleted vault of this name is to come back, with its keys: no other can have its name until it is purged.')
param recover bool

@description('Workspace that gets the log of who used which key.')
param workspaceId string

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  name: place.names.vault
  location: place.location
  tags: place.tags
  properties: {
    createMode: recover ? 'recover' : 'default'
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'premium' }
    enableRbacAuthorization: true
    enablePurgeProtection: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
    networkAcls: { bypass: 'AzureServices', defaultAction: private ? 'Deny' : 'Allow' }
  }
}

resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: vault
  properties: { workspaceId: workspaceId, logs: [{ categoryGroup: 'audit', enabled: true }] }
}
