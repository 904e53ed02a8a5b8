import { placeType } from 'types.bicep'

@description('Where, with which names and tags.')
param place placeType

@description('Mail addresses that alerts go to.')
param mails string[]

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' = {
  name: 'log-${place.base}'
  location: place.location
  tags: place.tags
  properties: {
    retentionInDays: 90
    sku: { name: 'PerGB2018' }
    features: { disableLocalAuth: true }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-${place.base}'
  location: place.location
  tags: place.tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    DisableLocalAuth: true
    WorkspaceResourceId: workspace.id
    IngestionMode: 'LogAnalytics'
  }
}

module alerts 'alerts.bicep' = {
  params: { place: place, insightsName: insights.name, mails: mails }
}

@description('Resource id of the workspace.')
output workspaceId string = workspace.id

@description('Name of the Application Insights component.')
output insightsName string = insights.name
