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
  supportsHttpsTrafficOnly: true
  networkAcls: { bypass: 'AzureServices', defaultAction: private ? 'Deny' : 'Allow' }
}

resource host 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: place.names.hostAccount
  location: place.location
  tags: place.tags
  kind: 'StorageV2'
  sku: { name: kept.redundancy }
  // Event Grid brings its dead letters as a trusted service; nobody else gets around the private endpoints.
  properties: union(properties, { publicNetworkAccess: 'Enabled' })

  resource expiry 'managementPolicies' = {
    name: 'default'
    properties: {
      policy: {
        rules: [
          {
            name: 'deadletters'
            type: 'Lifecycle'
            definition: {
              filters: { blobTypes: ['blockBlob'], prefixMatch: ['deadletters/'] }
              actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: 90 } } }
            }
          }
        ]
      }
    }
  }

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
  name: place.names.storeAccount
  location: place.location
  tags: place.tags
  kind: 'StorageV2'
  sku: { name: kept.redundancy }
  properties: union(properties, { publicNetworkAccess: private ? 'Disabled' : 'Enabled' })

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

    // In a container of its own, where the app only reads.
    resource policy 'containers' = {
      name: 'policy'
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
