// What things are called unless somebody says otherwise.
import { namesType } from 'types.bicep'

@export()
@description('All names: those that are given, and for the others what they are and what names end in.')
func namesOf(name string, base string, given namesType) object =>
  union(
    {
      base: base
      resourceGroup: 'rg-${name}'
      eventsGroup: 'rg-${base}-events'
      identity: 'id-${base}'
      workspace: 'log-${base}'
      insights: 'appi-${base}'
      actionGroup: 'ag-${base}'
      alert: 'alert-${base}'
      hostAccount: 'st${replace(base, '-', '')}h'
      storeAccount: 'st${replace(base, '-', '')}s'
      vault: take('kv-${base}', 24)
      topic: 'evgt-${base}'
      systemTopic: 'egst-${base}'
      network: 'vnet-${base}'
      securityGroup: 'nsg-${base}'
      natGateway: 'ng-${base}'
      publicAddress: 'pip-${base}'
      endpoint: 'pep'
      plan: 'plan-${base}'
      functionApp: 'func-${base}'
      scheduler: 'dts-${base}'
    },
    given
  )
