// What roles.json grants on the resources of this group, the topics' right to put dead letters down, and the lock.

@description('All names.')
param names object

@description('Object ids of the identities, by the names that roles.json uses.')
param principals object

@description('Object ids of the topics\' identities. Behind a firewall only a topic\'s own gets through.')
param deadLetterPrincipals string[]

@description('Whether there is a scheduler.')
param scheduled bool

@description('Object ids of the groups in Entra that write the policy document.')
param policyWriters string[]

@description('Whether the store is locked against deletion.')
param lock bool

var table = any(loadJsonContent('../roles.json'))

resource hostAccount 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: names.hostAccount

  resource blobs 'blobServices' existing = {
    name: 'default'

    resource letters 'containers' existing = {
      name: 'deadletters'
    }
  }
}

resource store 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: names.storeAccount

  resource blobs 'blobServices' existing = {
    name: 'default'

    resource ledger 'containers' existing = {
      name: 'ledger'
    }

    resource evidence 'containers' existing = {
      name: 'evidence'
    }

    resource policy 'containers' existing = {
      name: 'policy'
    }
  }
}

resource topic 'Microsoft.EventGrid/topics@2025-02-15' existing = {
  name: names.topic
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: names.insights
}

resource scheduler 'Microsoft.DurableTask/schedulers@2026-02-01' existing = {
  name: names.scheduler
}

resource onHostStorage 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in filter(table.assignments, each => each.at == 'hostStorage'): {
    name: guid(hostAccount.id, principals[each.identity], each.role)
    scope: hostAccount
    properties: {
      principalId: principals[each.identity]
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', table.builtIn[each.role])
    }
  }
]

resource onLedger 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in filter(table.assignments, each => each.at == 'ledger'): {
    name: guid(store::blobs::ledger.id, principals[each.identity], each.role)
    scope: store::blobs::ledger
    properties: {
      principalId: principals[each.identity]
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', table.builtIn[each.role])
    }
  }
]

resource onEvidence 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in filter(table.assignments, each => each.at == 'evidence'): {
    name: guid(store::blobs::evidence.id, principals[each.identity], each.role)
    scope: store::blobs::evidence
    properties: {
      principalId: principals[each.identity]
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId(
        'Microsoft.Authorization/roleDefinitions',
        guid(subscription().id, each.role)
      )
    }
  }
]

resource onPolicy 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in filter(table.assignments, each => each.at == 'policy'): {
    name: guid(store::blobs::policy.id, principals[each.identity], each.role)
    scope: store::blobs::policy
    properties: {
      principalId: principals[each.identity]
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', table.builtIn[each.role])
    }
  }
]

resource ofWriters 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for writers in policyWriters: {
    name: guid(store::blobs::policy.id, writers)
    scope: store::blobs::policy
    properties: {
      principalId: writers
      principalType: 'Group'
      roleDefinitionId: subscriptionResourceId(
        'Microsoft.Authorization/roleDefinitions',
        table.builtIn['Storage Blob Data Contributor']
      )
    }
  }
]

resource onTopic 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in filter(table.assignments, each => each.at == 'eventTopic'): {
    name: guid(topic.id, principals[each.identity], each.role)
    scope: topic
    properties: {
      principalId: principals[each.identity]
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', table.builtIn[each.role])
    }
  }
]

resource onInsights 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in filter(table.assignments, each => each.at == 'insights'): {
    name: guid(insights.id, principals[each.identity], each.role)
    scope: insights
    properties: {
      principalId: principals[each.identity]
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', table.builtIn[each.role])
    }
  }
]

resource onScheduler 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in filter(table.assignments, each => each.at == 'scheduler'): if (scheduled) {
    name: guid(scheduler.id, principals[each.identity], each.role)
    scope: scheduler
    properties: {
      principalId: principals[each.identity]
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', table.builtIn[each.role])
    }
  }
]

resource onDeadLetters 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principal in deadLetterPrincipals: {
    name: guid(hostAccount::blobs::letters.id, principal)
    scope: hostAccount::blobs::letters
    properties: {
      principalId: principal
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId(
        'Microsoft.Authorization/roleDefinitions',
        table.builtIn['Storage Blob Data Contributor']
      )
    }
  }
]

resource kept 'Microsoft.Authorization/locks@2020-05-01' = if (lock) {
  name: 'meshward'
  scope: store
  properties: { level: 'CanNotDelete', notes: 'The ledger and the evidence of Meshward.' }
}
