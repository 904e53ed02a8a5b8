// Tells that events of a topic were given up. An alert on a metric stands beside what it watches, and takes an action
// group of its own subscription alone: elsewhere one that tells the same people is made beside it.
import { targetType } from 'types.bicep'

@description('Resource id of the topic.')
param topicId string

@description('Where events go, and who hears of dead letters.')
param target targetType

@description('Receivers of mail of the installation\'s action group.')
param mails { name: string, emailAddress: string, useCommonAlertSchema: bool }[]

var home = subscription().subscriptionId == split(target.actionGroupId, '/')[2]

resource actions 'Microsoft.Insights/actionGroups@2023-01-01' = if (!home) {
  name: target.names.actionGroup
  location: 'global'
  tags: target.tags
  properties: { enabled: true, groupShortName: 'meshward', emailReceivers: mails }
}

resource alert 'Microsoft.Insights/metricAlerts@2026-01-01' = {
  name: '${target.names.alert}-dead-letters-${last(split(topicId, '/'))}'
  location: 'global'
  tags: target.tags
  properties: {
    description: 'Events were given up. Look into the container deadletters, mend the cause; the sweeps catch up.'
    severity: 2
    enabled: true
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    scopes: [topicId]
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: 'deadLettered'
          criterionType: 'StaticThresholdCriterion'
          metricName: 'DeadLetteredCount'
          operator: 'GreaterThan'
          threshold: 0
          timeAggregation: 'Total'
        }
      ]
    }
    actions: [{ actionGroupId: home ? target.actionGroupId : actions.id }]
  }
}
