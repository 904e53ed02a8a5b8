// A virtual network. Its subnets are resources of their own: a redeployment leaves those alone that others have added.
import { placeType } from 'types.bicep'

@description('Where, with which names and tags.')
param place placeType

@description('Address space: at least /24.')
param addressPrefix string

@description('Whether the functions call from one address of their own.')
param natGateway bool

resource guard 'Microsoft.Network/networkSecurityGroups@2025-01-01' = {
  name: place.names.securityGroup
  location: place.location
  tags: place.tags
  properties: {}
}

resource address 'Microsoft.Network/publicIPAddresses@2025-01-01' = if (natGateway) {
  name: place.names.publicAddress
  location: place.location
  tags: place.tags
  sku: { name: 'Standard' }
  properties: { publicIPAllocationMethod: 'Static' }
}

resource gateway 'Microsoft.Network/natGateways@2025-01-01' = if (natGateway) {
  name: place.names.natGateway
  location: place.location
  tags: place.tags
  sku: { name: 'Standard' }
  properties: { publicIpAddresses: [{ id: address.id }] }
}

resource network 'Microsoft.Network/virtualNetworks@2025-01-01' = {
  name: place.names.network
  location: place.location
  tags: place.tags
  properties: { addressSpace: { addressPrefixes: [addressPrefix] } }
}

resource functions 'Microsoft.Network/virtualNetworks/subnets@2025-01-01' = {
  parent: network
  name: 'functions'
  properties: {
    addressPrefix: cidrSubnet(addressPrefix, 26, 0)
    networkSecurityGroup: { id: guard.id }
    natGateway: natGateway ? { id: gateway.id } : null
    delegations: [{ name: 'functions', properties: { serviceName: 'Microsoft.App/environments' } }]
  }
}

resource endpoints 'Microsoft.Network/virtualNetworks/subnets@2025-01-01' = {
  parent: network
  name: 'endpoints'
  properties: { addressPrefix: cidrSubnet(addressPrefix, 26, 1), networkSecurityGroup: { id: guard.id } }
  dependsOn: [functions] // a network takes one change at a time
}

@description('Subnet of the functions.')
output functionsId string = functions.id

@description('Subnet of the endpoints.')
output endpointsId string = endpoints.id

@description('Address that the functions call from; empty without a gateway.')
output outboundAddress string = natGateway ? address!.properties.ipAddress : ''
