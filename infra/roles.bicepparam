using 'roles.bicep'

import { fleetOf } from 'modules/fleet.bicep'

// The same file of one's own as main.bicepparam's.
var told = readEnvironmentVariable('MESHWARD_PARAMETERS', '')
var own = json(empty(told) ? '{}' : told)

// Outputs of main.bicep, as infra/output.sh prints them.
param made = json(readEnvironmentVariable('MESHWARD_MADE'))
param topicPrincipals = json(readEnvironmentVariable('MESHWARD_TOPIC_PRINCIPALS'))
param verified = own.?verified ?? []
param policyWriters = own.?policyWriters ?? []
param locks = own.?locks ?? true

// The subscriptions of that file; else those of a list, separated by commas; else the current one. The system topics that
// are there already are those that infra/topics.sh finds.
var several = readEnvironmentVariable('MESHWARD_SUBSCRIPTION_IDS', '')
var home = readEnvironmentVariable('AZURE_SUBSCRIPTION_ID', '00000000-0000-0000-0000-000000000000')
param fleet = fleetOf(own.?fleet ?? [], empty(several) ? home : several, readEnvironmentVariable('MESHWARD_SYSTEM_TOPICS', ''))
