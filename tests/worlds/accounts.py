"""The storage account of a protection."""

from datetime import timedelta

from local.cloud.world import World
from shared.adapters.azure.resources import AzureResources
from shared.domain.vaults.protection import Protection


async def with_account(world: World, resources: AzureResources, protection: Protection) -> None:
    """Make the group of a protection and its account, and wait until they are there."""
    await resources.create_group(protection, protection.group)
    await resources.create_account(protection)
    await world.clock.advance(timedelta(minutes=5))
