import { identitiesType, placeType } from 'types.bicep'

@description('Where, with which names and tags.')
param place placeType

var duties = ['host', 'rotator', 'provisioner', 'verifier']

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = [
  for duty in duties: {
    name: '${place.names.identity}-${duty}'
    location: place.location
    tags: place.tags
  }
]

@description('The identities by duty.')
output all identitiesType = {
  host: { id: identity[0].id, clientId: identity[0].properties.clientId }
  rotator: { id: identity[1].id, clientId: identity[1].properties.clientId }
  provisioner: { id: identity[2].id, clientId: identity[2].properties.clientId }
  verifier: { id: identity[3].id, clientId: identity[3].properties.clientId }
}

@description('Their object ids, by duty.')
output principals object = {
  host: identity[0].properties.principalId
  rotator: identity[1].properties.principalId
  provisioner: identity[2].properties.principalId
  verifier: identity[3].properties.principalId
}
