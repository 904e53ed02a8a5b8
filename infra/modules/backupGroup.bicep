// The group of the Backup vaults of a subscription, the accounts and identities beside them: nothing else of it is the app's.
targetScope = 'subscription'

import { placeType } from 'types.bicep'

@description('Where, with which names and tags.')
param place placeType

@description('Its name.')
param name string

resource group 'Microsoft.Resources/resourceGroups@2024-11-01' = {
  name: name
  location: place.location
  tags: place.tags
}
