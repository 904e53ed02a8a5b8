@export()
@description('A subscription whose clusters are looked after.')
type fleetType = {
  @description('Its id.')
  subscriptionId: string

  @description('Resource id of its Event Grid system topic, if it has one already: there can be only one.')
  systemTopicId: string?
}

@export()
@description('Something whose backups are verified, or that restores go to.')
type verifiedType = {
  @description('A storage account with file shares, a group with virtual machines, or one that restores of disks, and from the vault tier, pass through.')
  kind: 'shareAccount' | 'machineGroup' | 'scratchGroup'

  @description('Its resource id.')
  id: string
}

@export()
@description('Instances and their size.')
type scaleType = {
  @description('Instances that are always there for flows and their timers; one alone is drained every hour.')
  alwaysReady: int

  @description('Most instances at a time.')
  @minValue(40)
  @maxValue(1000)
  maximumInstances: int

  @description('Memory of an instance.')
  instanceMemoryMB: 512 | 2048 | 4096
}

@export()
@description('How state is kept, and what of it is there already.')
type keptType = {
  @description('SKU of both accounts. Not every region has zones: Standard_LRS is everywhere.')
  redundancy: 'Standard_LRS' | 'Standard_ZRS' | 'Standard_GRS' | 'Standard_GZRS'

  @description('How long evidence can be neither changed nor deleted, in days.')
  @minValue(1)
  @maxValue(146000)
  evidenceDays: int

  @description('Whether that is locked already. Its policy takes no deployment then: infra/evidence.sh extends it.')
  evidenceLocked: bool

  @description('Subscriptions whose group for Backup vaults is there already, by id in small letters: a group stays in its region.')
  backupGroups: string[]?

  @description('Whether the key vault of this installation was deleted and can be recovered.')
  vaultDeleted: bool
}

@export()
@description('Public or private.')
type networkType = {
  @description('Whether storage, key vault, topic and scheduler are reached through private endpoints, and the app and its deployment site by named callers alone.')
  private: bool

  @description('Address space of the virtual network that is made: at least /24.')
  addressPrefix: string?

  @description('Subnets that are there, by id, instead of ones that are made: one delegated to Microsoft.App/environments, and one for endpoints.')
  subnets: { functions: string, endpoints: string }?

  @description('Private DNS zones that are there and linked to the network, by id, instead of ones that are made.')
  zones: { blob: string, queue: string, table: string, vault: string, topic: string, scheduler: string? }?

  @description('Whether a policy puts the endpoints into zones: none are made or named then.')
  zonesByPolicy: bool?

  @description('Whether a NAT gateway gives the app one address, for API servers that take calls from named addresses alone. Not for subnets that are there.')
  natGateway: bool?

  @description('Address ranges that may call the HTTP routes, and deploy, when private; Event Grid may always bring events.')
  callers: string[]?
}

@export()
@description('What is there already and is used instead of being made, by resource id.')
type reuseType = {
  @description('Log Analytics workspace.')
  workspaceId: string?

  @description('Action group that alerts go to.')
  actionGroupId: string?

  @description('Key vault of the trust roots, with RBAC and purge protection. Its owner brings its network, lock and diagnostic settings.')
  keyVaultId: string?

  @description('System topic of that key vault, if it has one already: there can be only one.')
  keyVaultTopicId: string?
}

@export()
@description('Names of what is made; modules/names.bicep has the default of each.')
type namesType = {
  @description('Resource group of the installation.')
  resourceGroup: string?

  @description('Resource group of the system topic, in each subscription of the fleet.')
  eventsGroup: string?

  @description('Managed identities; the duty follows.')
  identity: string?

  @description('Log Analytics workspace.')
  workspace: string?

  @description('Application Insights.')
  insights: string?

  @description('Action group.')
  actionGroup: string?

  @description('Alerts; what they tell of follows.')
  alert: string?

  @description('Storage account of the host.')
  @minLength(3)
  @maxLength(24)
  hostAccount: string?

  @description('Storage account of ledger and evidence.')
  @minLength(3)
  @maxLength(24)
  storeAccount: string?

  @description('Key vault.')
  @minLength(3)
  @maxLength(24)
  vault: string?

  @description('Event topic.')
  topic: string?

  @description('System topics; what they tell of follows.')
  systemTopic: string?

  @description('Virtual network.')
  network: string?

  @description('Network security group.')
  securityGroup: string?

  @description('NAT gateway.')
  natGateway: string?

  @description('Public address of the NAT gateway.')
  publicAddress: string?

  @description('Private endpoints; what they lead to follows.')
  endpoint: string?

  @description('Plan of the function app.')
  plan: string?

  @description('Function app. The host\'s id is cut after 32 characters.')
  @maxLength(32)
  functionApp: string?

  @description('Durable Task Scheduler.')
  scheduler: string?
}

@export()
@description('A managed identity.')
type identityType = {
  @description('Resource id.')
  id: string

  @description('Client id.')
  clientId: string
}

@export()
@description('Where resources are made, their names, and their tags.')
type placeType = {
  @description('All names, and base: the installation\'s own, which others end in.')
  names: object

  @description('Region.')
  location: string

  @description('Tags.')
  tags: object
}

@export()
@description('The identities of the host and of each duty.')
type identitiesType = {
  @description('Runs the host: its storage, its telemetry, its code.')
  host: identityType

  @description('Rotates trust.')
  rotator: identityType

  @description('Makes vaults and binds them.')
  provisioner: identityType

  @description('Verifies restores, and keeps the store.')
  verifier: identityType
}

@export()
@description('What main.bicep has made, for roles.bicep and events.bicep: its output MESHWARD_MADE.')
type madeType = {
  @description('All names.')
  names: object

  @description('Tags.')
  tags: object

  @description('Object ids of the identities: by duty, and of the topics that tell of certificates and of backups.')
  principals: object

  @description('Resource id of the key vault.')
  keyVaultId: string

  @description('Resource id of its system topic.')
  keyVaultTopicId: string

  @description('Resource id of the action group.')
  actionGroupId: string

  @description('Name of the groups of the Backup vaults.')
  backupResourceGroup: string

  @description('Whether a scheduler keeps the state of flows.')
  scheduled: bool
}

@export()
@description('Where events go.')
type targetType = {
  @description('All names of the installation; others may have subscribed to the same topic.')
  names: object

  @description('Tags.')
  tags: object

  @description('Resource id of the function app.')
  functionAppId: string

  @description('Resource id of the account that keeps dead letters.')
  deadLetterAccountId: string

  @description('Resource id of the action group that hears of dead letters.')
  actionGroupId: string
}
