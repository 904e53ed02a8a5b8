// What only an Owner, or a User Access Administrator, may make: role definitions, role assignments and locks. After
// main.bicep, before the code. Principals are parameters, so what-if names every assignment.
targetScope = 'subscription'

import { fleetType, madeType, verifiedType } from 'modules/types.bicep'

@description('What main.bicep has made: its output MESHWARD_MADE.')
param made madeType

@description('Object ids of the identities of the fleet\'s system topics: its output MESHWARD_TOPIC_PRINCIPALS.')
param topicPrincipals string[]

@description('Subscriptions whose clusters are looked after, as in main.bicep.')
@minLength(1)
param fleet fleetType[] = [{ subscriptionId: subscription().subscriptionId }]

@description('What is verified beside clusters, and groups that restores pass through.')
param verified verifiedType[] = []

@description('Object ids of the groups in Entra that write the policy document. No others can, but who owns the account.')
param policyWriters string[] = []

@description('Whether the key vault, if it is ours, and the store are locked against deletion.')
param locks bool = true

var home = resourceId(subscription().subscriptionId, made.names.resourceGroup, 'Microsoft.KeyVault/vaults', made.names.vault)

var subscriptionIds = union(map(fleet, each => toLower(each.subscriptionId)), [
  subscription().subscriptionId
  toLower(split(made.keyVaultId, '/')[2])
])

module definitions 'modules/definitions.bicep' = [
  for id in subscriptionIds: {
    scope: subscription(id)
  }
]

module installation 'modules/roles.bicep' = {
  scope: resourceGroup(made.names.resourceGroup)
  params: {
    names: made.names
    principals: made.principals
    deadLetterPrincipals: concat([made.principals.topic, made.principals.keyVaultTopic], topicPrincipals)
    scheduled: made.scheduled
    policyWriters: policyWriters
    lock: locks
  }
  dependsOn: [definitions]
}

module vault 'modules/vaultRoles.bicep' = {
  scope: resourceGroup(split(made.keyVaultId, '/')[2], split(made.keyVaultId, '/')[4])
  params: {
    vaultName: last(split(made.keyVaultId, '/'))
    principals: made.principals
    lock: locks && toLower(made.keyVaultId) == toLower(home)
  }
  dependsOn: [definitions]
}

module subscriptions 'modules/subscription.bicep' = [
  for member in fleet: {
    scope: subscription(member.subscriptionId)
    params: { principals: made.principals }
    dependsOn: [definitions]
  }
]

module backupRoles 'modules/backupRoles.bicep' = [
  for member in fleet: {
    scope: resourceGroup(member.subscriptionId, made.backupResourceGroup)
    params: { principals: made.principals }
    dependsOn: [definitions]
  }
]

module verifiedScopes 'modules/verified.bicep' = [
  for each in verified: {
    scope: resourceGroup(split(each.id, '/')[2], split(each.id, '/')[4])
    params: { kind: each.kind, name: last(split(each.id, '/')), principals: made.principals }
    dependsOn: [subscriptions]
  }
]
