// Private endpoints, and the DNS zones that name them unless these are there already or a policy sees to it.
import { placeType } from 'types.bicep'

@description('Where, with which names and tags.')
param place placeType

@description('Subnet of the endpoints.')
param subnetId string

@description('What is reached, as Private Link names its parts.')
param groups string[]

@description('Zones that are there, by group; empty where they are made.')
param zoneIds object

@description('Whether a policy puts the endpoints into zones.')
param zonesByPolicy bool

var storage = environment().suffixes.storage
var zones = {
  blob: 'privatelink.blob.${storage}'
  queue: 'privatelink.queue.${storage}'
  table: 'privatelink.table.${storage}'
  // Azure Public's zones have other names than the domains of what is in them.
  vault: 'privatelink.vaultcore.azure.net'
  topic: 'privatelink.eventgrid.azure.net'
  scheduler: 'privatelink.durabletask.io'
}
var host = resourceId('Microsoft.Storage/storageAccounts', place.names.hostAccount)
var all = [
  { id: host, group: 'blob' }
  { id: host, group: 'queue' }
  { id: host, group: 'table' }
  { id: resourceId('Microsoft.Storage/storageAccounts', place.names.storeAccount), group: 'blob' }
  { id: resourceId('Microsoft.KeyVault/vaults', place.names.vault), group: 'vault' }
  { id: resourceId('Microsoft.EventGrid/topics', place.names.topic), group: 'topic' }
  { id: resourceId('Microsoft.DurableTask/schedulers', place.names.scheduler), group: 'scheduler' }
]
var targets = filter(all, each => contains(groups, each.group))
var made = zonesByPolicy || !empty(zoneIds) ? [] : filter(items(zones), each => contains(groups, each.key))

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for each in made: {
    name: each.value
    location: 'global'
    tags: place.tags
  }
]

resource link 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (each, index) in made: {
    parent: zone[index]
    name: 'meshward'
    location: 'global'
    tags: place.tags
    properties: { registrationEnabled: false, virtualNetwork: { id: split(subnetId, '/subnets/')[0] } }
  }
]

resource endpoint 'Microsoft.Network/privateEndpoints@2025-01-01' = [
  for target in targets: {
    name: '${place.names.endpoint}-${last(split(target.id, '/'))}-${target.group}'
    location: place.location
    tags: place.tags
    properties: {
      subnet: { id: subnetId }
      privateLinkServiceConnections: [
        { name: target.group, properties: { privateLinkServiceId: target.id, groupIds: [target.group] } }
      ]
    }
  }
]

resource record 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-01-01' = [
  for (target, index) in targets: if (!zonesByPolicy) {
    parent: endpoint[index]
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: target.group
          properties: {
            privateDnsZoneId: empty(zoneIds)
              ? resourceId('Microsoft.Network/privateDnsZones', zones[target.group])
              : zoneIds[target.group]
          }
        }
      ]
    }
    dependsOn: [zone]
  }
]

@description('True once the endpoints are there.')
output ready bool = true
