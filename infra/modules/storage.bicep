import { placeType, keptType } from 'types.bicep'

@description('Where, with which names and tags.')
param place placeType

@description('Whether only private endpoints and Event Grid reach the accounts.')
param private bool

@description('Redundancy of the accounts, and how long evidence is kept.')
param kept keptType

@description('Workspace that gets the log of who did what.')
param workspaceId string

var properties = {
  allowBlobPublicAccess: false
  allowCrossTenantReplication: false
  allowSharedKeyAccess: false
  defaultToOAuthAuthentication: true
  minimumTlsVersion: 'TLS1_2'
  publicNetworkAccess: 'Enabled'
  supportsHttpsTrafficOnly: true
  // Event Grid brings its dead letters as a trusted service; nobody else gets around the private endpoints.
  networkAcls: { bypass: 'AzureServices', defaultAction: private ? 'Deny' : 'Allow' }
}

resource host 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: 'st${replace(place.base, '-', '')}h'
  location: place.location
  tags: place.tags
  kind: 'StorageV2'
  sku: { name: kept.redundancy }
  properties: properties

  resource blobs 'blobServices' = {
    name: 'default'
    properties: {
      deleteRetentionPolicy: { enabled: true, days: 7 }
      containerDeleteRetentionPolicy: { enabled: true, days: 7 }
    }

    resource container 'containers' = [
      for name in ['code', 'deadletters']: {
        name: name
        properties: { publicAccess: 'None' }
      }
    ]
  }
}

resource store 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: 'st${replace(place.base, '-', '')}s'
  location: place.location
  tags: place.tags
  kind: 'StorageV2'
  sku: { name: kept.redundancy }
  properties: properties

  resource blobs 'blobServices' = {
    name: 'default'
    properties: {
      isVersioningEnabled: true
      deleteRetentionPolicy: { enabled: true, days: 30 }
      containerDeleteRetentionPolicy: { enabled: true, days: 30 }
    }

    resource ledger 'containers' = {
      name: 'ledger'
      properties: { publicAccess: 'None' }
    }

    resource evidence 'containers' = {
      name: 'evidence'
      properties: { publicAccess: 'None' }

      // Unlocked: a template can make no other. `make deploy LOCK=yes` locks it, and then it can only be extended.
      resource immutability 'immutabilityPolicies' = if (!kept.evidenceLocked) {
        name: 'default'
        properties: { immutabilityPeriodSinceCreationInDays: kept.evidenceDays }
      }
    }
  }
}

resource hostAudit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: host::blobs
  properties: { workspaceId: workspaceId, logs: [{ category: 'StorageDelete', enabled: true }] }
}

resource storeAudit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: store::blobs
  properties: { workspaceId: workspaceId, logs: [{ categoryGroup: 'audit', enabled: true }] }
}

@description('Resource id of the host\'s account.')
output hostAccountId string = host.id

@description('Name of the host\'s account.')
output hostAccountName string = host.name

@description('Resource id of the account of ledger and evidence.')
output storeAccountId string = store.id

@description('Name of the account of ledger and evidence.')
output storeAccountName string = store.name

@description('The store, as the app is told of it.')
output storeUrl string = 'az://${store.name}/${store::blobs::ledger.name}'
