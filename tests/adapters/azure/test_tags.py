"""The installation's tags are on all that the app makes, beside those by which it knows it again."""

import json
from datetime import timedelta
from urllib.parse import urlsplit

import msgspec

from local.cloud.world import World
from shared.adapters.azure.private_endpoints import PrivateEndpoints
from shared.adapters.azure.resources import AzureResources
from shared.adapters.azure.workload_identity import WorkloadIdentities
from shared.adapters.backup.backup_vaults import BackupVaults
from shared.adapters.backup.recovery_services_vaults import RecoveryServicesVaults
from shared.domain.vaults.protection import Protection
from tests.worlds import sdk
from tests.worlds.accounts import with_account
from tests.worlds.settings import settings

TAGS = {"cost-center": "4711"}
TAKEN = {"Meshward:Cluster": "another", "MESHWARD:CLUSTER": "one more"}  # Azure compares names of tags without case
KINDS = {
    "backupvaults",
    "privateendpoints",
    "resourcegroups",
    "storageaccounts",
    "userassignedidentities",
    "vaults",
}


async def test_all_that_is_made_has_the_tags_of_the_installation(world: World, protection: Protection) -> None:
    told = msgspec.structs.replace(settings(world), tags=TAGS | TAKEN)
    options = sdk.aio(world, world.entra.add("provisioner"))
    resources, identities = AzureResources(told, **options), WorkloadIdentities(told, **options)
    vaults, recovery_vaults = BackupVaults(told, **options), RecoveryServicesVaults(told, **options)
    endpoints = PrivateEndpoints(told, **options)
    subnet = world.networks.add_subnet("backups")
    private = msgspec.structs.replace(protection, terms=msgspec.structs.replace(protection.terms, subnet=subnet["id"]))
    await resources.create_group(protection, protection.snapshot_group)
    await with_account(world, resources, protection)
    await identities.create(protection)
    await vaults.create_vault(protection, "GeoRedundant")
    await recovery_vaults.create_vault(protection, "GeoRedundant")
    await endpoints.create_endpoint(private)
    await world.clock.advance(timedelta(minutes=5))
    puts = [
        (urlsplit(each.url).path, json.loads(each.request)) for each in world.wire.exchanges if each.method == "PUT"
    ]
    made = {path.split("/")[-2].lower(): body for path, body in puts if "location" in body}
    assert made.keys() == KINDS
    assert all(body["tags"].items() >= TAGS.items() for body in made.values())
    assert all(body["tags"].items() >= protection.tags.items() for body in (made["vaults"], made["backupvaults"]))
    assert not any(TAKEN.keys() & body["tags"].keys() for body in (made["vaults"], made["backupvaults"]))
