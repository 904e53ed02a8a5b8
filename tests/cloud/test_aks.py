"""Clusters as AKS shows them, their kubeconfig, trusted access, and their events."""

import base64
from datetime import timedelta

import pytest
import yaml  # type: ignore[import-untyped]
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.containerservice.aio import ContainerServiceClient
from azure.mgmt.containerservice.models import TrustedAccessRoleBinding, TrustedAccessRoleBindingProperties

from local.cloud.wire import Exchange
from local.cloud.world import World
from tests.worlds import sdk

ROLE = "Microsoft.DataProtection/backupVaults/backup-operator"
VAULT = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.DataProtection/backupVaults/v"


def _client(world: World) -> ContainerServiceClient:
    return ContainerServiceClient(**sdk.arm(world, world.entra.add("caller")))


def _binding() -> TrustedAccessRoleBinding:
    return TrustedAccessRoleBinding(
        properties=TrustedAccessRoleBindingProperties(source_resource_id=VAULT, roles=[ROLE])
    )


async def test_a_cluster_has_the_fields_that_readers_use(world: World) -> None:
    made = world.aks.add("alpha", tags={"meshward:protect": "true"})
    async with _client(world) as client:
        cluster = await client.managed_clusters.get("RG-clusters", "Alpha")
    assert cluster.provisioning_state == "Succeeded"
    assert cluster.identity
    assert cluster.identity.principal_id == made["identity"]["principalId"]
    assert cluster.aad_profile
    assert cluster.aad_profile.managed
    assert cluster.aad_profile.enable_azure_rbac
    assert cluster.oidc_issuer_profile
    assert str(cluster.oidc_issuer_profile.issuer_url).startswith("https://westeurope.oic.prod-aks.azure.com/")
    assert cluster.system_data is None
    assert cluster.resource_uid == made["properties"]["resourceUID"]


async def test_clusters_are_listed_by_subscription_and_by_group(world: World) -> None:
    world.aks.add("alpha")
    world.aks.add("beta", group="rg-clusters-2")
    async with _client(world) as client:
        every = [c.name async for c in client.managed_clusters.list()]
        one_group = [c.name async for c in client.managed_clusters.list_by_resource_group("rg-clusters")]
    assert (every, one_group) == (["alpha", "beta"], ["alpha"])


async def test_a_cluster_made_again_has_the_same_id_but_another_identity_and_uid(world: World) -> None:
    first = world.aks.add("alpha")
    world.aks.remove("alpha")
    await world.clock.advance(timedelta(hours=1))
    second = world.aks.add("alpha")
    assert second["id"] == first["id"]
    assert second["identity"]["principalId"] != first["identity"]["principalId"]
    assert second["properties"]["resourceUID"] != first["properties"]["resourceUID"]


async def test_the_kubeconfig_leads_to_the_simulated_api_without_a_credential(world: World) -> None:
    world.aks.add("alpha")
    async with _client(world) as client:
        answer = await client.managed_clusters.list_cluster_user_credentials("rg-clusters", "alpha", format="exec")
        with pytest.raises(HttpResponseError, match="disable local accounts"):
            await client.managed_clusters.list_cluster_admin_credentials("rg-clusters", "alpha")
    assert answer.kubeconfigs
    config = yaml.safe_load(bytes(answer.kubeconfigs[0].value or b""))
    cluster = config["clusters"][0]["cluster"]
    assert cluster["server"] == f"{world.wire.url}/k8s/alpha"
    assert base64.b64decode(cluster["certificate-authority-data"]) == world.wire.ca_pem
    assert set(config["users"][0]["user"]) == {"exec"}


async def test_an_absent_cluster_is_not_found(world: World) -> None:
    world.resource_groups.add("rg-clusters")
    async with _client(world) as client:
        with pytest.raises(ResourceNotFoundError) as absent:
            await client.managed_clusters.get("rg-clusters", "alpha")
    assert absent.value.error
    assert absent.value.error.message == (
        "The Resource 'Microsoft.ContainerService/managedClusters/alpha' under resource group 'rg-clusters' was not "
        "found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    )


async def test_binding_and_unbinding_trusted_access_takes_time(world: World) -> None:
    world.aks.add("alpha")
    async with _client(world) as client:
        bindings = client.trusted_access_role_bindings
        poller = await bindings.begin_create_or_update("rg-clusters", "alpha", "tarb-1", _binding())
        assert (await bindings.get("rg-clusters", "alpha", "tarb-1")).properties.provisioning_state == "Updating"
        assert (await poller.result()).properties.provisioning_state == "Succeeded"
        assert [b.name async for b in bindings.list("rg-clusters", "alpha")] == ["tarb-1"]
        await (await bindings.begin_delete("rg-clusters", "alpha", "tarb-1")).result()
        with pytest.raises(ResourceNotFoundError):
            await bindings.get("rg-clusters", "alpha", "tarb-1")


async def test_an_operation_of_trusted_access_carries_an_error_although_it_succeeds(world: World) -> None:
    world.aks.add("alpha")
    async with _client(world) as client:
        bindings = client.trusted_access_role_bindings
        await (await bindings.begin_create_or_update("rg-clusters", "alpha", "tarb-1", _binding())).result()
    polls: list[Exchange] = [e for e in world.wire.exchanges if "/operations/" in e.url]
    assert polls[-1].body["status"] == "Succeeded"
    assert polls[-1].body["error"]["code"] == "NotFound"


async def test_a_cluster_takes_eight_bindings(world: World) -> None:
    world.aks.add("alpha")
    async with _client(world) as client:
        bindings = client.trusted_access_role_bindings
        for number in range(8):
            await bindings.begin_create_or_update("rg-clusters", "alpha", f"tarb-{number}", _binding())
        with pytest.raises(HttpResponseError):
            await bindings.begin_create_or_update("rg-clusters", "alpha", "tarb-8", _binding())
