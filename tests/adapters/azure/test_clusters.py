"""Managed clusters, asked of the simulated resource manager by the real SDK client."""

import pytest
import yaml  # type: ignore[import-untyped]

from local.cloud.arm import SUBSCRIPTION
from local.cloud.resources.aks import TYPE
from local.cloud.wire import InjectedFault, Reply
from local.cloud.world import World
from shared.adapters.azure.clusters import Clusters
from shared.domain.admission import AllowList, Fleet
from shared.domain.errors import PermanentError, TemporaryError
from shared.domain.resource_id import subscription_scope
from shared.domain.trust.members import members_in
from shared.domain.trust.mesh import Mesh
from shared.domain.vaults.policy import ProtectPolicy
from shared.domain.vaults.protection import protection_of
from tests.worlds import sdk
from tests.worlds.admission import admitted
from tests.worlds.settings import settings


@pytest.fixture
async def clusters(world: World) -> Clusters:
    return Clusters(settings(world), **sdk.aio(world, world.entra.add("rotator")))


async def test_clusters_are_listed_with_what_flows_decide_on(world: World, clusters: Clusters) -> None:
    made = world.aks.add("aks-east", tags={"meshward:mesh": "linkerd"})
    world.aks.add("aks-west", oidc=False)
    east, west = sorted(await clusters.list(), key=lambda c: c.name)
    assert east == await clusters.get(made["id"])
    assert (east.name, east.resource_group.lower(), east.location) == ("aks-east", "rg-clusters", "westeurope")
    assert east.tagged("meshward:mesh", "linkerd")
    assert east.incarnation.principal == made["identity"]["principalId"]
    assert east.incarnation.uid == made["properties"]["resourceUID"]
    assert (east.provisioning_state, east.power_state) == ("Succeeded", "Running")
    assert east.principal_id == made["identity"]["principalId"]
    assert east.oidc_issuer == made["properties"]["oidcIssuerProfile"]["issuerURL"]
    assert west.oidc_issuer is None


async def test_a_list_of_clusters_is_read_to_its_last_page(world: World, clusters: Clusters) -> None:
    first = world.aks.add("aks-east")
    page = {
        "value": [first],
        "nextLink": f"{world.wire.url}/subscriptions/{SUBSCRIPTION}/providers/{TYPE}?api-version=2026-08-01",
    }
    world.wire.inject(InjectedFault(on="managedClusters", kind="answer", reply=Reply(body=page)))
    world.aks.add("aks-west")
    assert [c.name for c in await clusters.list()] == ["aks-east", "aks-east", "aks-west"]


async def test_a_list_that_repeats_a_page_is_refused_instead_of_read_for_ever(world: World, clusters: Clusters) -> None:
    same = f"{world.wire.url}/subscriptions/{SUBSCRIPTION}/providers/{TYPE}?api-version=2026-08-01"
    page = Reply(body={"value": [], "nextLink": same})
    world.wire.inject(InjectedFault(on="managedClusters", kind="answer", times=9, reply=page))
    with pytest.raises(TemporaryError) as refused:
        await clusters.list()
    assert refused.value.reason == "PagesRepeat"


async def test_a_cluster_of_a_subscription_that_can_t_be_seen_isn_t_gone(world: World, clusters: Clusters) -> None:
    id = world.aks.add("aks-east")["id"]
    unseen = {"error": {"code": "SubscriptionNotFound", "message": "The subscription could not be found."}}
    world.wire.inject(InjectedFault(on="managedClusters", kind="answer", reply=Reply(status=404, body=unseen)))
    with pytest.raises(TemporaryError) as unknown:
        await clusters.get(id)
    assert unknown.value.reason == "SubscriptionNotFound"


async def test_a_cluster_in_a_group_that_meshward_can_t_name_is_seen_and_worked_in_by_nobody(
    world: World, clusters: Clusters
) -> None:
    world.aks.add("aks-east", group="rg-größe", tags={"meshward:mesh": "linkerd", "meshward:trust-domain": "prod"})
    (found,) = await clusters.list()
    listed = AllowList({"prod": [str(subscription_scope(SUBSCRIPTION))]})
    assert members_in(Mesh.LINKERD, "prod", Fleet([found], listed)) == []
    for refused in (
        lambda: listed.contactable("", found.id),
        lambda: protection_of(found, "rg-backup", ProtectPolicy()),
    ):
        with pytest.raises(PermanentError, match="NotACluster"):
            refused()


@pytest.mark.parametrize(
    ("status", "code", "reason"), [(403, "AuthorizationFailed", "Forbidden"), (429, "Busy", "Busy")]
)
async def test_a_list_that_is_refused_says_so(
    world: World, clusters: Clusters, status: int, code: str, reason: str
) -> None:
    refusal = Reply(status=status, body={"error": {"code": code, "message": "no"}})
    world.wire.inject(InjectedFault(on="managedClusters", kind="answer", reply=refusal))
    with pytest.raises(TemporaryError, match=reason):
        await clusters.list()


async def test_a_cluster_that_is_gone_is_nothing(world: World, clusters: Clusters) -> None:
    made = world.aks.add("aks-east")
    world.aks.remove("aks-east")
    assert await clusters.get(made["id"]) is None


async def test_a_kubeconfig_names_the_api_server_and_holds_no_credential(world: World, clusters: Clusters) -> None:
    made = world.aks.add("aks-east")
    found = yaml.safe_load(await clusters.kubeconfig(admitted(made["id"])))
    assert found["clusters"][0]["cluster"]["server"].startswith("https://")
    assert not {"token", "client-key-data", "password"} & set(found["users"][0]["user"])
