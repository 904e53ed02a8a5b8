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

  @description('Whether the key vault of this installation was deleted and can be recovered.')
  vaultDeleted: bool
}

@export()
@description('Public or private.')
type networkType = {
  @description('Whether storage, key vault and topic are reached through private endpoints.')
  private: bool

  @description('Address space of the virtual network: at least /24.')
  addressPrefix: string?

  @description('Address ranges that may call the HTTP routes when private; Event Grid always may.')
  callers: string[]?
}

@export()
@description('A managed identity.')
type identityType = {
  @description('Resource id.')
  id: string

  @description('Client id.')
  clientId: string

  @description('Object id.')
  principalId: string
}

@export()
@description('Where resources are made, what their names end in, and their tags.')
type placeType = {
  @description('Base of names.')
  base: string

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
@description('Where events go.')
type targetType = {
  @description('Base of the installation\'s names; others may have subscribed to the same topic.')
  base: string

  @description('Resource id of the function app.')
  functionAppId: string

  @description('Subscription of the account that keeps dead letters.')
  deadLetterSubscription: string

  @description('Its resource group.')
  deadLetterGroup: string

  @description('Its name.')
  deadLetterAccount: string

  @description('Resource id of the action group that hears of dead letters.')
  actionGroupId: string

  @description('Its receivers of mail.')
  mails: { name: string, emailAddress: string, useCommonAlertSchema: bool }[]
}
