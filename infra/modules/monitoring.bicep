import { placeType, reuseType } from 'types.bicep'

@description('Where, with which names and tags.')
param place placeType

@description('What is there already.')
param reuse reuseType

@description('Mail addresses that alerts go to.')
param mails string[]

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' = if (reuse.?workspaceId == null) {
  name: place.names.workspace
  location: place.location
  tags: place.tags
  properties: {
    retentionInDays: 90
    sku: { name: 'PerGB2018' }
    features: { disableLocalAuth: true }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: place.names.insights
  location: place.location
  tags: place.tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    DisableLocalAuth: true
    WorkspaceResourceId: reuse.?workspaceId ?? workspace.id
    IngestionMode: 'LogAnalytics'
  }
}

module alerts 'alerts.bicep' = {
  params: { place: place, insightsName: insights.name, mails: mails, actionGroupId: reuse.?actionGroupId }
}

@description('Resource id of the workspace.')
output workspaceId string = insights.properties.WorkspaceResourceId
