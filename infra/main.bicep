// Everything that a Contributor makes, and that exists once: a table of contents. Roles and locks are in roles.bicep,
// event subscriptions come after the code, in events.bicep.
targetScope = 'subscription'

import { namesOf } from 'modules/names.bicep'
import { fleetType, keptType, madeType, namesType, networkType, reuseType, scaleType } from 'modules/types.bicep'

@description('Name of this installation; part of the names of all its resources.')
@minLength(2)
@maxLength(12)
param environmentName string

@description('Region of this installation.')
param location string = deployment().location

@description('Tags of all resources, also of those that the app makes.')
param tags object = {}

@description('Names that aren\'t to be the usual ones.')
param names namesType = {}

@description('What is there already and is used instead of being made.')
param reuse reuseType = {}

@description('Client id of the app registration that callers ask tokens for, as infra/entra.sh prints it.')
param audience string

@description('Subscriptions whose clusters are looked after.')
@minLength(1)
param fleet fleetType[] = [{ subscriptionId: subscription().subscriptionId }]

@description('Resource group for the Backup vaults, in each subscription of the fleet. The app makes vaults, accounts and identities there alone.')
param backupResourceGroup string = 'rg-${toLower(replace(environmentName, '_', '-'))}-backup'

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
param kept keptType = { redundancy: 'Standard_ZRS', evidenceDays: 365, evidenceLocked: false, backupGroups: [], vaultDeleted: false }

var home = subscription().subscriptionId
var name = toLower(replace(environmentName, '_', '-')) // storage accounts and key vaults take no other letters
var base = '${name}-${take(uniqueString(subscription().id, name, location), 6)}'
var place = { names: namesOf(name, base, names), location: location, tags: tags }
var scheduled = durableBackend == 'DurableTaskScheduler'

// Known at the start, so that what-if knows them too.
var vaultId = reuse.?keyVaultId ?? resourceId(home, place.names.resourceGroup, 'Microsoft.KeyVault/vaults', place.names.vault)
var vaultGroup = { subscription: split(vaultId, '/')[2], name: split(vaultId, '/')[4] }
var vaultTopicId = reuse.?keyVaultTopicId ?? resourceId(vaultGroup.subscription, vaultGroup.name, 'Microsoft.EventGrid/systemTopics', '${place.names.systemTopic}-vault')
var actionsId = reuse.?actionGroupId ?? resourceId(home, place.names.resourceGroup, 'Microsoft.Insights/actionGroups', place.names.actionGroup)

resource theirVault 'Microsoft.KeyVault/vaults@2024-11-01' existing = if (reuse.?keyVaultId != null) {
  scope: resourceGroup(vaultGroup.subscription, vaultGroup.name)
  name: last(split(vaultId, '/'))
}

resource group 'Microsoft.Resources/resourceGroups@2024-11-01' = {
  name: place.names.resourceGroup
  location: location
  tags: union(tags, { 'azd-env-name': environmentName })
}

module identities 'modules/identities.bicep' = {
  scope: group
  params: { place: place }
}

module monitoring 'modules/monitoring.bicep' = {
  scope: group
  params: { place: place, reuse: reuse, mails: alertMails }
}

module storage 'modules/storage.bicep' = {
  scope: group
  params: { place: place, private: network.private, kept: kept, workspaceId: monitoring.outputs.workspaceId }
}

module vault 'modules/vault.bicep' = if (reuse.?keyVaultId == null) {
  scope: group
  params: { place: place, private: network.private, recover: kept.vaultDeleted, workspaceId: monitoring.outputs.workspaceId }
}

module topic 'modules/topic.bicep' = {
  scope: group
  params: { place: place, private: network.private, workspaceId: monitoring.outputs.workspaceId }
}

module vaultTopic 'modules/systemTopic.bicep' = {
  scope: resourceGroup(vaultGroup.subscription, vaultGroup.name)
  params: {
    place: place
    id: vaultTopicId
    present: reuse.?keyVaultTopicId != null
    source: vaultId
    topicType: 'Microsoft.KeyVault.vaults'
    location: reuse.?keyVaultId == null ? location : theirVault!.location
    workspaceId: monitoring.outputs.workspaceId
  }
  dependsOn: [vault]
}

module clusterTopics 'modules/clusterTopic.bicep' = [
  for member in fleet: {
    scope: subscription(member.subscriptionId)
    params: { place: place, systemTopicId: member.?systemTopicId, workspaceId: monitoring.outputs.workspaceId }
  }
]

module backupGroups 'modules/backupGroup.bicep' = [
  for member in fleet: if (!contains(kept.?backupGroups ?? [], toLower(member.subscriptionId))) {
    scope: subscription(member.subscriptionId)
    params: { place: place, name: backupResourceGroup }
  }
]

module scheduler 'modules/scheduler.bicep' = if (scheduled) {
  scope: group
  params: { place: place, private: network.private, workspaceId: monitoring.outputs.workspaceId }
}

module networking 'modules/network.bicep' = if (network.private) {
  scope: group
  params: { place: place, network: network, vault: reuse.?keyVaultId == null, scheduled: scheduled }
  dependsOn: [storage, vault, topic, scheduler]
}

module functions 'modules/functions.bicep' = {
  scope: group
  params: {
    place: place
    identities: identities.outputs.all
    workspaceId: monitoring.outputs.workspaceId
    schedulerEndpoint: scheduler.?outputs.endpoint
    subnetId: networking.?outputs.functionSubnetId
    network: network
    scale: scale
    settings: {
      MESHWARD_SUBSCRIPTION_IDS: join(map(fleet, each => each.subscriptionId), ',')
      MESHWARD_AUDIENCE: audience
      MESHWARD_KEY_VAULT_URL: 'https://${last(split(vaultId, '/'))}${environment().suffixes.keyvaultDns}/'
      MESHWARD_EVENT_TOPIC_URL: topic.outputs.url
      MESHWARD_STORE_URL: 'az://${place.names.storeAccount}/ledger'
      MESHWARD_EVIDENCE_URL: 'az://${place.names.storeAccount}/evidence'
      MESHWARD_POLICY_URL: 'az://${place.names.storeAccount}/policy'
      MESHWARD_BACKUP_RESOURCE_GROUP: backupResourceGroup
      MESHWARD_TAGS: string(tags)
    }
  }
  dependsOn: [storage]
}

@description('Name of the resource group.')
output AZURE_RESOURCE_GROUP string = group.name

@description('Name of the function app.')
output FUNCTION_APP string = place.names.functionApp

@description('Address that the app calls from, if it has one of its own: for API servers that take calls from named addresses alone.')
output OUTBOUND_ADDRESS string = networking.?outputs.outboundAddress ?? ''

@description('What roles.bicep and events.bicep need to know of it.')
output MESHWARD_MADE madeType = {
  names: place.names
  tags: tags
  principals: union(identities.outputs.principals, {
    topic: topic.outputs.principalId
    keyVaultTopic: vaultTopic.outputs.principalId
  })
  keyVaultId: vaultId
  keyVaultTopicId: vaultTopicId
  actionGroupId: actionsId
  backupResourceGroup: backupResourceGroup
  scheduled: scheduled
}

@description('Object ids of the identities of the fleet\'s system topics.')
output MESHWARD_TOPIC_PRINCIPALS string[] = [for (member, index) in fleet: clusterTopics[index].outputs.principalId]
