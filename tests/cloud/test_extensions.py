"""The backup extension is installed in its own time, gets its own identity, and can fail."""

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.kubernetesconfiguration.extensions.aio import KubernetesConfigurationExtensionsMgmtClient
from azure.mgmt.kubernetesconfiguration.extensions.models import Extension, ExtensionProperties, Scope, ScopeCluster

from local.cloud.resources.extensions import BACKUP_EXTENSION, INSTALL_SECONDS
from local.cloud.world import World
from tests.worlds import sdk

WHERE = ("rg-clusters", "Microsoft.ContainerService", "managedClusters", "alpha")
NAME = "azure-aks-backup"


@pytest.fixture
def world(world: World) -> World:
    world.aks.add("alpha")
    return world


def _client(world: World) -> KubernetesConfigurationExtensionsMgmtClient:
    return KubernetesConfigurationExtensionsMgmtClient(**sdk.arm(world, world.entra.add("caller")))


def _extension() -> Extension:
    return Extension(
        properties=ExtensionProperties(
            extension_type=BACKUP_EXTENSION,
            release_train="stable",
            auto_upgrade_minor_version=True,
            scope=Scope(cluster=ScopeCluster(release_namespace="dataprotection-microsoft")),
            configuration_settings={"configuration.backupStorageLocation.bucket": "alpha"},
        )
    )


async def test_an_installed_extension_has_an_identity_which_a_second_write_keeps(world: World) -> None:
    started = world.clock.time()
    async with _client(world) as client:
        poller = await client.extensions.begin_create(*WHERE, NAME, _extension())
        creating = _facts(await client.extensions.get(*WHERE, NAME))
        installed = _facts(await poller.result())
        again = _facts(await (await client.extensions.begin_create(*WHERE, NAME, _extension())).result())
        assert [e.name async for e in client.extensions.list(*WHERE)] == [NAME]
    assert (creating.provisioning_state, creating.aks_assigned_identity) == ("Creating", None)
    assert installed.provisioning_state == "Succeeded"
    assert installed.configuration_settings == {"configuration.backupStorageLocation.bucket": "alpha"}
    principal = installed.aks_assigned_identity.principal_id
    assert principal in {p.object_id for p in world.entra.principals.values()}
    assert again.aks_assigned_identity.principal_id == principal
    assert world.clock.time() >= started + 2 * INSTALL_SECONDS


async def test_an_extension_that_is_written_twice_at_once_gets_one_identity(world: World) -> None:
    async with _client(world) as client:
        first = await client.extensions.begin_create(*WHERE, NAME, _extension())
        second = await client.extensions.begin_create(*WHERE, NAME, _extension())
        one, other = _facts(await first.result()), _facts(await second.result())
    assert one.aks_assigned_identity.principal_id == other.aks_assigned_identity.principal_id
    assert len([p for p in world.entra.principals.values() if p.name.startswith("ext-")]) == 1


async def test_a_failed_installation_stays_failed_until_it_is_repeated(world: World) -> None:
    world.extensions.fail_next("ExtensionOperationFailed", "no Linux node")
    async with _client(world) as client:
        with pytest.raises(HttpResponseError, match="no Linux node"):
            await (await client.extensions.begin_create(*WHERE, NAME, _extension())).result()
        failed = _facts(await client.extensions.get(*WHERE, NAME))
        assert (failed.provisioning_state, failed.error_info.code) == ("Failed", "ExtensionOperationFailed")
        assert _facts(await (await client.extensions.begin_create(*WHERE, NAME, _extension())).result())


async def test_an_extension_can_be_removed(world: World) -> None:
    async with _client(world) as client:
        await (await client.extensions.begin_create(*WHERE, NAME, _extension())).result()
        await (await client.extensions.begin_delete(*WHERE, NAME)).result()
        with pytest.raises(ResourceNotFoundError):
            await client.extensions.get(*WHERE, NAME)


async def test_an_extension_needs_its_cluster(world: World) -> None:
    async with _client(world) as client:
        with pytest.raises(ResourceNotFoundError):
            await client.extensions.begin_create(*WHERE[:3], "absent", NAME, _extension())


def _facts(extension: Extension) -> Any:
    return extension.properties
