import { placeType } from 'types.bicep'

@description('Where, with which names and tags.')
param place placeType

@description('Whether only a private endpoint reaches the topic.')
param private bool

@description('The account that keeps dead letters.')
param deadLetterAccount string

resource topic 'Microsoft.EventGrid/topics@2025-02-15' = {
  name: 'evgt-${place.base}'
  location: place.location
  tags: place.tags
  identity: { type: 'SystemAssigned' }
  properties: {
    disableLocalAuth: true
    inputSchema: 'CloudEventSchemaV1_0'
    minimumTlsVersionAllowed: '1.2'
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
  }
}

// Here and not beside the event subscriptions: Event Grid looks whether it acts, and roles act late.
module deadLetters 'deadLetters.bicep' = {
  params: { accountName: deadLetterAccount, principalId: topic.identity.principalId }
}

@description('Name of the topic.')
output name string = topic.name

@description('Resource id of the topic.')
output id string = topic.id

@description('Where events are published.')
output url string = topic.properties.endpoint
