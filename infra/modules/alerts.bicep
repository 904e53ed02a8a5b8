import { placeType } from 'types.bicep'

@description('Where, with which names and tags.')
param place placeType

@description('The Application Insights component.')
param insightsName string

@description('Mail addresses that alerts go to.')
param mails string[]

@description('Action group that is there, instead of one that is made.')
param actionGroupId string?

var alerts = any(loadJsonContent('../alerts.json'))

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource actions 'Microsoft.Insights/actionGroups@2023-01-01' = if (actionGroupId == null) {
  name: place.names.actionGroup
  location: 'global'
  tags: place.tags
  properties: {
    enabled: true
    groupShortName: 'meshward'
    emailReceivers: [
      for (mail, index) in mails: { name: 'mail${index}', emailAddress: mail, useCommonAlertSchema: true }
    ]
  }
}

resource rule 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = [
  for alert in alerts: {
    name: '${place.names.alert}-${alert.name}'
    location: place.location
    tags: place.tags
    kind: 'LogAlert'
    properties: {
      displayName: alert.title
      description: alert.todo
      severity: alert.severity
      enabled: true
      // A line is logged once, and what it tells of goes on: whoever has mended it closes the alert.
      autoMitigate: false
      evaluationFrequency: alert.every
      windowSize: alert.over
      scopes: [insights.id]
      // A new workspace knows its tables once something is in them.
      skipQueryValidation: true
      criteria: {
        allOf: [
          {
            query: alert.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      actions: { actionGroups: [actionGroupId ?? actions.id] }
    }
  }
]

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, 'meshward')
  location: place.location
  tags: union(place.tags, { 'hidden-title': 'Meshward' }) // its name says nothing; infra/made.sh knows it by this
  kind: 'shared'
  properties: {
    displayName: 'Meshward'
    category: 'workbook'
    sourceId: insights.id
    serializedData: string({
      version: 'Notebook/1.0'
      items: map(any(loadJsonContent('../workbook.json')), panel => {
        type: 3
        name: panel.title
        content: {
          version: 'KqlItem/1.0'
          title: panel.title
          query: panel.query
          queryType: 0
          resourceType: 'microsoft.insights/components'
          visualization: panel.show
          timeContext: { durationMs: 2592000000 }
        }
      })
    })
  }
}
