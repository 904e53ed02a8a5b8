import { identitiesType, networkType, placeType, scaleType } from 'types.bicep'

@description('Where, with which names and tags.')
param place placeType

@description('The identities of the host and of each duty.')
param identities identitiesType

@description('Workspace that gets the host\'s log.')
param workspaceId string

@description('The scheduler that keeps the state of running flows; the host\'s storage without one.')
param schedulerEndpoint string?

@description('Subnet of the functions, if there is one.')
param subnetId string?

@description('Public or private.')
param network networkType

@description('Instances and their size.')
param scale scaleType

@description('The app\'s own settings.')
param settings object

var scheduled = schedulerEndpoint == null
  ? {}
  : {
      DURABLE_TASK_SCHEDULER_CONNECTION_STRING: '${schedulerEndpoint};Authentication=ManagedIdentity;ClientID=${identities.host.clientId}'
      AzureFunctionsJobHost__extensions__durableTask__storageProvider__type: 'azureManaged'
      AzureFunctionsJobHost__extensions__durableTask__storageProvider__connectionStringName: 'DURABLE_TASK_SCHEDULER_CONNECTION_STRING'
    }
var all = union(settings, scheduled, {
  AzureWebJobsStorage__accountName: place.names.hostAccount
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identities.host.clientId
  APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identities.host.clientId};Authorization=AAD'
  // Neither the exporter's figures about itself nor its remote control go to Microsoft.
  APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED: 'true'
  APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL: 'true'
  // The worker sends its lines itself, with their fields; the host doesn't send them once more.
  PYTHON_ENABLE_OPENTELEMETRY: 'true'
  MESHWARD_INSTALLATION: place.names.base
  MESHWARD_TENANT_ID: tenant().tenantId
  MESHWARD_ROTATOR_CLIENT_ID: identities.rotator.clientId
  MESHWARD_PROVISIONER_CLIENT_ID: identities.provisioner.clientId
  MESHWARD_VERIFIER_CLIENT_ID: identities.verifier.clientId
})
var callers = [
  for (range, index) in (network.?callers ?? []): {
    name: 'caller${index}'
    priority: 200 + index
    action: 'Allow'
    ipAddress: range
  }
]

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: place.names.insights
}

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: place.names.hostAccount
}

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  name: place.names.plan
  location: place.location
  tags: place.tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true }
}

resource app 'Microsoft.Web/sites@2024-11-01' = {
  name: place.names.functionApp // at most 32 characters: the host's id is cut there
  location: place.location
  tags: union(place.tags, { 'azd-service-name': 'app' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identities.host.id}': {}
      '${identities.rotator.id}': {}
      '${identities.provisioner.id}': {}
      '${identities.verifier.id}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    // Optional: Event Grid brings no certificate. The app refuses callers that need one and have none.
    clientCertEnabled: true
    clientCertMode: 'Optional'
    virtualNetworkSubnetId: subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${account.properties.primaryEndpoints.blob}code'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identities.host.id
          }
        }
      }
      runtime: { name: 'python', version: '3.13' }
      scaleAndConcurrency: {
        instanceMemoryMB: scale.instanceMemoryMB
        maximumInstanceCount: scale.maximumInstances
        // Event Grid repeats what finds no instance; flows and their timers wait for nobody.
        alwaysReady: [{ name: 'durable', instanceCount: scale.alwaysReady }]
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      http20Enabled: true
      ipSecurityRestrictionsDefaultAction: network.private ? 'Deny' : 'Allow'
      ipSecurityRestrictions: network.private
        ? concat([{ name: 'events', priority: 100, action: 'Allow', tag: 'ServiceTag', ipAddress: 'AzureEventGrid' }], callers)
        : []
      // Whoever may call may deploy; Event Grid has nothing to do there.
      scmIpSecurityRestrictionsUseMain: false
      scmIpSecurityRestrictionsDefaultAction: network.private ? 'Deny' : 'Allow'
      scmIpSecurityRestrictions: network.private ? callers : []
      appSettings: map(items(all), setting => { name: setting.key, value: setting.value })
    }
  }

  resource publishing 'basicPublishingCredentialsPolicies' = [
    for name in ['scm', 'ftp']: {
      name: name
      properties: { allow: false }
    }
  ]
}

resource log 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'log'
  scope: app
  properties: { workspaceId: workspaceId, logs: [{ category: 'FunctionAppLogs', enabled: true }] }
}
