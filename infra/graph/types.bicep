@export()
@description('A user, group, application or managed identity, and what it may do.')
type callerType = {
  @description('Its object id.')
  principalId: string

  @description('A role of ../app-roles.json.')
  role: 'reader' | 'operator' | 'approver' | 'agent' | 'workload'
}
