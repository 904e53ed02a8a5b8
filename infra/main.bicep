// Everything that exists once: a table of contents. Event subscriptions come after the code: events.bicep.
targetScope = 'subscription'

import { fleetType, keptType, networkType, scaleType, verifiedType } from 'modules/types.bicep'

@description('Name of this installation; part of the names of all its resources.')
@minLength(2)
@maxLength(12)
param environmentName string

@description('Region of this installation.')
param location string = deployment().location

@description('Tags of all resources.')
param tags object = {}

@description('Client id of the app registration that callers ask tokens for, as infra/entra.sh prints it.')
param audience string

@description('Subscriptions whose clusters are looked after.')
param fleet fleetType[] = [{ subscriptionId: subscription().subscriptionId }]

@description('Resource group for the Backup vaults, in each subscription of the fleet; made when it is needed.')
param backupResourceGroup string = 'rg-${environmentName}-backup'

@description('What is verified beside clusters, and groups that restores pass through.')
param verified verifiedType[] = []

@description('Mail addresses that alerts go to.')
param alertMails string[] = []

@description('Instances and their size.')
param scale scaleType = { alwaysReady: 2, maximumInstances: 40, instanceMemoryMB: 2048 }

@description('Where the state of running flows is kept. A change leaves what is running behind.')
@allowed(['AzureStorage', 'DurableTaskScheduler'])
param durableBackend string = 'AzureStorage'

@description('Whether storage, key vault and topic are reached through private endpoints, and who may call the app then.')
param network networkType = { private: false }

@description('How state is kept, and what of it is there already: infra/provision.sh asks.')
param kept keptType = { redundancy: 'Standard_ZRS', evidenceDays: 365, evidenceLocked: false, vaultDeleted: false }

var name = toLower(replace(environmentName, '_', '-')) // storage accounts and key vaults take no other letters
var place = {
  base: '${name}-${take(uniqueString(subscription().id, name, location), 6)}'
  location: location
  tags: tags
}

resource group 'Microsoft.Resources/resourceGroups@2024-11-01' = {
  name: 'rg-${name}'
  location: location
  tags: union(tags, { 'azd-env-name': environmentName })
}

module identities 'modules/identities.bicep' = {
  scope: group
  params: { place: place }
}

module monitoring 'modules/monitoring.bicep' = {
  scope: group
  params: { place: place, mails: alertMails }
}

module storage 'modules/storage.bicep' = {
  scope: group
  params: { place: place, private: network.private, kept: kept, workspaceId: monitoring.outputs.workspaceId }
}

module vault 'modules/vault.bicep' = {
  scope: group
  params: { place: place, private: network.private, recover: kept.vaultDeleted, workspaceId: monitoring.outputs.workspaceId }
}

module topic 'modules/topic.bicep' = {
  scope: group
  params: { place: place, private: network.private, deadLetterAccount: storage.outputs.hostAccountName }
}

module networking 'modules/network.bicep' = if (network.private) {
  scope: group
  params: {
    place: place
    addressPrefix: network.?addressPrefix ?? '10.90.0.0/24'
    accountIds: [storage.outputs.hostAccountId, storage.outputs.storeAccountId]
    vaultId: vault.outputs.id
    topicId: topic.outputs.id
  }
}

module functions 'modules/functions.bicep' = {
  scope: group
  params: {
    place: place
    identities: identities.outputs.all
    hostAccountName: storage.outputs.hostAccountName
    insightsName: monitoring.outputs.insightsName
    durableBackend: durableBackend
    subnetId: networking.?outputs.functionSubnetId
    network: network
    scale: scale
    settings: {
      MESHWARD_SUBSCRIPTION_IDS: join(map(fleet, each => each.subscriptionId), ',')
      MESHWARD_AUDIENCE: audience
      MESHWARD_KEY_VAULT_URL: vault.outputs.url
      MESHWARD_EVENT_TOPIC_URL: topic.outputs.url
      MESHWARD_STORE_URL: storage.outputs.storeUrl
      MESHWARD_BACKUP_RESOURCE_GROUP: backupResourceGroup
    }
  }
  dependsOn: [roles]
}

module roles 'modules/roles.bicep' = {
  scope: group
  params: {
    identities: identities.outputs.all
    hostAccountName: storage.outputs.hostAccountName
    storeAccountName: storage.outputs.storeAccountName
    vaultName: vault.outputs.name
    topicName: topic.outputs.name
    insightsName: monitoring.outputs.insightsName
  }
}

module subscriptions 'modules/subscription.bicep' = [
  for member in fleet: {
    scope: subscription(member.subscriptionId)
    params: { identities: identities.outputs.all }
  }
]

module verifiedScopes 'modules/verified.bicep' = [
  for each in verified: {
    scope: resourceGroup(split(each.id, '/')[2], split(each.id, '/')[4])
    params: { kind: each.kind, name: last(split(each.id, '/')), identities: identities.outputs.all }
    dependsOn: [subscriptions]
  }
]

@description('Name of the resource group.')
output AZURE_RESOURCE_GROUP string = group.name

@description('Name of the function app.')
output FUNCTION_APP string = functions.outputs.name
