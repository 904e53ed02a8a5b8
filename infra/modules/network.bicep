// The private form: subnets, made or there already, endpoints in one of them, and names by which these are found.
import { networkType, placeType } from 'types.bicep'

@description('Where, with which names and tags.')
param place placeType

@description('What is there already, and what isn\'t wanted.')
param network networkType

@description('Whether the key vault is one that is made.')
param vault bool

@description('Whether there is a scheduler.')
param scheduled bool

module subnets 'subnets.bicep' = if (network.?subnets == null) {
  params: {
    place: place
    addressPrefix: network.?addressPrefix ?? '10.90.0.0/24'
    natGateway: network.?natGateway ?? false
  }
}

module endpoints 'endpoints.bicep' = {
  params: {
    place: place
    subnetId: network.?subnets.?endpoints ?? subnets.?outputs.endpointsId ?? ''
    groups: concat(['blob', 'queue', 'table', 'topic'], vault ? ['vault'] : [], scheduled ? ['scheduler'] : [])
    zoneIds: network.?zones ?? {}
    zonesByPolicy: network.?zonesByPolicy ?? false
  }
}

@description('Subnet of the functions; given once the endpoints are there.')
output functionSubnetId string = endpoints.outputs.ready ? network.?subnets.?functions ?? subnets.?outputs.functionsId ?? '' : ''

@description('Address of the NAT gateway, if there is one.')
output outboundAddress string = subnets.?outputs.outboundAddress ?? ''
