// Tells that events of a topic were given up. An alert on a metric stands beside what it watches.

@description('Resource id of the topic.')
param topicId string

@description('Resource id of the action group.')
param actionGroupId string

resource alert 'Microsoft.Insights/metricAlerts@2026-01-01' = {
  name: 'alert-dead-letters-${last(split(topicId, '/'))}'
  location: 'global'
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
    actions: [{ actionGroupId: actionGroupId }]
  }
}
