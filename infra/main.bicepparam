using 'main.bicep'

import { fleetOf } from 'modules/fleet.bicep'

// Values of one's own, as JSON, from wherever they are kept: export MESHWARD_PARAMETERS="$(cat ../meshward.json)"
var told = readEnvironmentVariable('MESHWARD_PARAMETERS', '')
var own = json(empty(told) ? '{}' : told)

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'meshward')
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param audience = readEnvironmentVariable('MESHWARD_AUDIENCE') // none by default: infra/entra.sh prints it
param tags = own.?tags ?? {}
param names = own.?names ?? {}
param reuse = own.?reuse ?? {}
param alertMails = own.?alertMails ?? []
param backupResourceGroup = own.?backupResourceGroup ?? 'rg-${toLower(replace(environmentName, '_', '-'))}-backup'
param scale = own.?scale ?? { alwaysReady: 2, maximumInstances: 40, instanceMemoryMB: 2048 }
param durableBackend = own.?durableBackend ?? 'AzureStorage'
param network = own.?network ?? { private: false }

var days = readEnvironmentVariable('MESHWARD_EVIDENCE_DAYS', '')
param kept = {
  redundancy: own.?redundancy ?? 'Standard_ZRS'
  evidenceDays: int(empty(days) ? '365' : days)
  evidenceLocked: readEnvironmentVariable('MESHWARD_EVIDENCE_STATE', 'Unlocked') == 'Locked' // infra/provision.sh asks
  backupGroups: filter(split(toLower(readEnvironmentVariable('MESHWARD_BACKUP_GROUPS', '')), ','), id => !empty(id))
  vaultDeleted: readEnvironmentVariable('MESHWARD_VAULT_STATE', '') == 'Deleted'
}

// The subscriptions of that file; else those of a list, separated by commas; else the current one. The system topics that
// are there already are those that infra/topics.sh finds.
var several = readEnvironmentVariable('MESHWARD_SUBSCRIPTION_IDS', '')
var home = readEnvironmentVariable('AZURE_SUBSCRIPTION_ID', '00000000-0000-0000-0000-000000000000')
param fleet = fleetOf(own.?fleet ?? [], empty(several) ? home : several, readEnvironmentVariable('MESHWARD_SYSTEM_TOPICS', ''))
