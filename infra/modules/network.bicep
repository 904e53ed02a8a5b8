import { placeType } from 'types.bicep'

@description('Where, with which names and tags.')
param place placeType

@description('Address space: at least /24.')
param addressPrefix string

@description('The storage accounts: the host\'s, and that of ledger and evidence.')
@minLength(2)
@maxLength(2)
param accountIds string[]

@description('The key vault.')
param vaultId string

@description('The event topic.')
param topicId string

var storage = environment().suffixes.storage
var zones = {
  blob: 'privatelink.blob.${storage}'
  queue: 'privatelink.queue.${storage}'
  table: 'privatelink.table.${storage}'
  // Azure Public's zones have other names than its vaults' and topics' domains.
  vault: 'privatelink.vaultcore.azure.net'
  topic: 'privatelink.eventgrid.azure.net'
}
var targets = [
  { id: accountIds[0], group: 'blob' }
  { id: accountIds[0], group: 'queue' }
  { id: accountIds[0], group: 'table' }
  { id: accountIds[1], group: 'blob' }
  { id: vaultId, group: 'vault' }
  { id: topicId, group: 'topic' }
]

resource guard 'Microsoft.Network/networkSecurityGroups@2025-01-01' = {
  name: 'nsg-${place.base}'
  location: place.location
  tags: place.tags
  properties: {}
}

resource network 'Microsoft.Network/virtualNetworks@2025-01-01' = {
  name: 'vnet-${place.base}'
  location: place.location
  tags: place.tags
  properties: {
    addressSpace: { addressPrefixes: [addressPrefix] }
    subnets: [
      {
        name: 'functions'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 26, 0)
          networkSecurityGroup: { id: guard.id }
          delegations: [{ name: 'functions', properties: { serviceName: 'Microsoft.App/environments' } }]
        }
      }
      {
        name: 'endpoints'
        properties: { addressPrefix: cidrSubnet(addressPrefix, 26, 1), networkSecurityGroup: { id: guard.id } }
      }
    ]
  }

  resource functions 'subnets' existing = {
    name: 'functions'
  }

  resource endpoints 'subnets' existing = {
    name: 'endpoints'
  }
}

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for item in items(zones): {
    name: item.value
    location: 'global'
    tags: place.tags
  }
]

resource link 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (item, index) in items(zones): {
    parent: zone[index]
    name: 'meshward'
    location: 'global'
    properties: { registrationEnabled: false, virtualNetwork: { id: network.id } }
  }
]

resource endpoint 'Microsoft.Network/privateEndpoints@2025-01-01' = [
  for target in targets: {
    name: 'pep-${last(split(target.id, '/'))}-${target.group}'
    location: place.location
    tags: place.tags
    properties: {
      subnet: { id: network::endpoints.id }
      privateLinkServiceConnections: [
        { name: target.group, properties: { privateLinkServiceId: target.id, groupIds: [target.group] } }
      ]
    }
  }
]

resource names 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-01-01' = [
  for (target, index) in targets: {
    parent: endpoint[index]
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        { name: target.group, properties: { privateDnsZoneId: resourceId('Microsoft.Network/privateDnsZones', zones[target.group]) } }
      ]
    }
    dependsOn: [zone]
  }
]

@description('Subnet of the functions; given once the endpoints are there.')
output functionSubnetId string = network::functions.id
