using 'main.bicep'

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'meshward')
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param audience = readEnvironmentVariable('MESHWARD_AUDIENCE') // none by default: infra/entra.sh prints it

var days = readEnvironmentVariable('MESHWARD_EVIDENCE_DAYS', '')
param kept = {
  redundancy: 'Standard_ZRS'
  evidenceDays: int(empty(days) ? '365' : days)
  evidenceLocked: readEnvironmentVariable('MESHWARD_EVIDENCE_STATE', 'Unlocked') == 'Locked' // infra/provision.sh asks
  vaultDeleted: readEnvironmentVariable('MESHWARD_VAULT_STATE', '') == 'Deleted'
}

// Several subscriptions: their ids, separated by commas, as MESHWARD_SUBSCRIPTION_IDS.
var several = readEnvironmentVariable('MESHWARD_SUBSCRIPTION_IDS', '')
var own = readEnvironmentVariable('AZURE_SUBSCRIPTION_ID', '00000000-0000-0000-0000-000000000000')

param fleet = map(split(empty(several) ? own : several, ','), id => { subscriptionId: id })
