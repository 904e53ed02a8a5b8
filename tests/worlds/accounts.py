"""The storage account of a protection."""

from datetime import timedelta

from local.cloud.world import World
from shared.adapters.azure.resources import AzureResources
from shared.adapters.backup.backup_vaults import BackupVaults, operational_policy
from shared.domain.cluster import CLUSTERS
from shared.domain.vaults.findings import FoundVault
from shared.domain.vaults.protection import Protection


async def with_account(world: World, resources: AzureResources, protection: Protection) -> None:
    """Make the group of a protection and its account, and wait until they are there."""
    await resources.create_group(protection, protection.group)
    await resources.create_account(protection)
    await world.clock.advance(timedelta(minutes=5))


async def with_vault(world: World, vaults: BackupVaults, protection: Protection) -> FoundVault:
    """The cluster's Backup vault, with its policy."""
    world.resource_groups.add(protection.group)
    await vaults.create_vault(protection, "GeoRedundant")
    await world.clock.advance(timedelta(minutes=5))
    await vaults.ensure_policy(
        protection, protection.terms.backup_policy, operational_policy(CLUSTERS, protection.terms)
    )
    found = await vaults.vault(protection)
    assert found is not None
    return found
