"""Backup workloads of a meshed cluster get an identity, and reach what they need and nothing else."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from functools import partial

import aiohttp
import pytest

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.objects import Object
from local.cloud.linkerd.policy import TrafficPolicy
from local.cloud.wire import InjectedFault, Reply
from local.host.durable import OrchestrationState
from local.host.management import PREFIX
from local.stage import RunningApp
from shared.domain.vaults.binding import ACCOUNT, NAMESPACE, IdentityMapEntry
from tests.worlds.app import NO_WATCH, open_app
from tests.worlds.bindings import CLUSTER, DOMAIN, FEDERATIONS, bound, entries, seed
from tests.worlds.protections import asked, cluster_of, finished, runs
from tests.worlds.times import DAY, MINUTE

ME = f"{ACCOUNT}.{NAMESPACE}.serviceaccount.identity.linkerd.{DOMAIN}"
POLICIES = ("MeshTLSAuthentication", "Server", "AuthorizationPolicy", "EgressNetwork", "TLSRoute")


@pytest.fixture
async def stage() -> AsyncIterator[RunningApp]:
    async with open_app(seed=seed, settings=NO_WATCH) as stage:
        yield stage


def cluster(stage: RunningApp) -> SimulatedCluster:
    return stage.world.kubernetes.clusters[CLUSTER]


def policy(stage: RunningApp) -> TrafficPolicy:
    return stage.world.linkerd.control_planes[CLUSTER].policy


async def workload(stage: RunningApp) -> Object:
    """A running pod of the backup namespace."""
    container = {"name": "dump", "image": "contoso/dump:1", "ports": [{"name": "backup", "containerPort": 8080}]}
    pod = {"serviceAccountName": ACCOUNT, "containers": [container]}
    metadata = {"name": "dump", "namespace": NAMESPACE}
    made = cluster(stage).create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod})
    await stage.clock.advance(2 * MINUTE)
    return made


def hosts(stage: RunningApp) -> list[str]:
    (account,) = stage.world.arm.of_type("Microsoft.Storage/storageAccounts")
    blobs = f"{account['name']}.blob.core.windows.net"
    return ["login.microsoftonline.com", "management.azure.com", "weu.backup.windowsazure.com", blobs]


def kube_writes(stage: RunningApp) -> list[str]:
    return [f"{e.method} {e.url}" for e in stage.world.wire.exchanges if "/k8s/" in e.url and e.method != "GET"]


async def test_backup_workloads_reach_azure_backup_and_entra_and_nothing_else(stage: RunningApp) -> None:
    await bound(stage)
    pod = await workload(stage)
    refused = {host: policy(stage).refuses_egress(pod, host) for host in hosts(stage)}
    assert set(refused.values()) == {""}
    others = ["example.com", "other.blob.core.windows.net", "vault.azure.com", "evilmanagement.azure.com"]
    assert all(policy(stage).refuses_egress(pod, host) for host in others)
    assert policy(stage).refuses_egress(pod, hosts(stage)[0], 8443)
    assert policy(stage).refuses_egress(pod, "", 80, address="169.254.169.254"), "those tokens are the node's"


async def test_backup_workloads_are_reached_by_each_other_alone_and_no_policy_can_be_spared(stage: RunningApp) -> None:
    await bound(stage)
    pod = await workload(stage)
    assert probe(stage, pod)
    assert policy(stage).refuses_ingress(pod, "backup", ME.replace(NAMESPACE, "shop"))
    assert policy(stage).refuses_ingress(pod, "backup", None)
    assert policy(stage).refuses_ingress(pod, "metrics", ME)
    for kind in POLICIES:
        (found,) = cluster(stage).objects(kind, NAMESPACE)
        cluster(stage).delete(kind, NAMESPACE, found["metadata"]["name"])
        await stage.clock.advance(MINUTE)
        assert not probe(stage, pod), f"without its {kind} the namespace is as with it"
        cluster(stage).apply(found)
        await stage.clock.advance(MINUTE)
        assert probe(stage, pod)


def probe(stage: RunningApp, pod: Object) -> bool:
    """Whether the pod reaches Entra, no other host, and is reached by its like."""
    rules = policy(stage)
    reaches = not rules.refuses_egress(pod, "login.microsoftonline.com"), not rules.refuses_egress(pod, "example.com")
    return (*reaches, not rules.refuses_ingress(pod, "backup", ME)) == (True, False, True)


async def test_the_identity_map_ties_the_service_accounts_names_in_entra_and_mesh_to_its_vault(
    stage: RunningApp,
) -> None:
    result = (await bound(stage)).output
    (identity,) = stage.world.arm.of_type("Microsoft.ManagedIdentity/userAssignedIdentities")
    (federation,) = stage.world.arm.of_type(FEDERATIONS)
    assert federation["properties"] == {
        "issuer": cluster_of(stage)["properties"]["oidcIssuerProfile"]["issuerURL"],
        "subject": f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}",
        "audiences": ["api://AzureADTokenExchange"],
    }
    account = cluster(stage).get("ServiceAccount", NAMESPACE, ACCOUNT)
    client = account["metadata"]["annotations"]["azure.workload.identity/client-id"]
    assert client == identity["properties"]["clientId"]
    assert entries(stage) == [
        IdentityMapEntry(
            principal=identity["properties"]["principalId"],
            mesh="linkerd",
            mesh_identity=ME,
            cluster_id=result["cluster_id"],
            vault_id=result["vault_id"],
            items=(result["instance_id"],),
            actions=("backup", "verify"),
        )
    ]
    pod = await workload(stage)
    proxy = stage.world.linkerd.control_planes[CLUSTER].proxies[pod["metadata"]["uid"]]
    assert proxy.identity == ME, "the name in the map is the one that the mesh certifies"


async def again(stage: RunningApp) -> OrchestrationState:
    """A second run over the same cluster, whose first one is forgotten."""
    (run,) = runs(stage)
    async with aiohttp.ClientSession() as http, http.delete(f"{stage.host.url}{PREFIX}{run.id}") as answer:
        assert answer.status == 200
    return await bound(stage)


async def test_the_workloads_of_a_cluster_that_was_stopped_aren_t_waited_for(stage: RunningApp) -> None:
    await bound(stage)
    stage.world.aks.stop(CLUSTER)
    await stage.clock.advance(DAY)
    run = await finished(stage, suffix=f"{stage.clock.now():%Y%m%d}", limit=timedelta(minutes=5))
    assert "ClusterStopped" in (run.failure or "")


async def test_a_second_run_writes_nothing(stage: RunningApp) -> None:
    await bound(stage)
    before = kube_writes(stage), len(entries(stage)), puts(stage)
    await again(stage)
    assert (kube_writes(stage), len(entries(stage)), puts(stage)) == before


def puts(stage: RunningApp) -> list[str]:
    return [e.url for e in stage.world.wire.exchanges if e.method == "PUT"]


async def test_what_somebody_opened_is_closed_again_and_what_somebody_added_stays(stage: RunningApp) -> None:
    await bound(stage)
    route = cluster(stage).get("TLSRoute", NAMESPACE, "azure-backup")
    wide = {**route, "spec": {**route["spec"], "hostnames": ["*.com"]}}
    cluster(stage).update({**wide, "metadata": {**route["metadata"], "labels": {"team": "storage"}}})
    await again(stage)
    mended = cluster(stage).get("TLSRoute", NAMESPACE, "azure-backup")
    assert "*.com" not in mended["spec"]["hostnames"]
    assert mended["metadata"]["labels"] == {"team": "storage"}


async def test_a_cluster_without_a_mesh_gets_no_identity(stage: RunningApp) -> None:
    del cluster_of(stage)["tags"]["meshward:mesh"]
    await bound(stage)
    assert not list(stage.world.arm.of_type("Microsoft.ManagedIdentity/userAssignedIdentities"))
    assert entries(stage) == []


async def refusal(stage: RunningApp) -> str:
    stage.world.aks.announce(cluster_of(stage))
    run = await finished(stage, limit=timedelta(hours=4))
    (held,) = stage.world.arm.of_type("Microsoft.DataProtection/backupVaults/backupInstances")
    assert held["properties"]["currentProtectionState"] == "ProtectionConfigured", "a backup comes before all else"
    assert run.status == "Failed"
    assert entries(stage) == []
    return run.failure or ""


async def test_a_cluster_that_issues_no_tokens_is_told_how_to(stage: RunningApp) -> None:
    cluster_of(stage)["properties"]["oidcIssuerProfile"] = {"enabled": False}
    assert "NoTokenIssuer" in await refusal(stage)


async def test_a_cluster_whose_linkerd_knows_no_egress_is_told_so() -> None:
    async with open_app(seed=partial(seed, version="2.16"), settings=NO_WATCH) as stage:
        assert "KindNotServed: the cluster serves no EgressNetwork of policy.linkerd.io/v1alpha1" in await refusal(
            stage
        )


async def test_a_route_that_linkerd_does_not_act_by_holds_the_run_and_says_so(stage: RunningApp) -> None:
    policy(stage).watches.discard("TLSRoute")
    assert "TLSRoute azure-backup isn't accepted: Linkerd gives no reason" in await refusal(stage)


async def test_a_cluster_whose_infra_team_granted_nothing_is_named_what_is_missing(stage: RunningApp) -> None:
    cluster(stage).delete("RoleBinding", NAMESPACE, "meshward-provisioner")
    assert 'cannot get resource "serviceaccounts"' in await refusal(stage)


IDENTITY, OBJECT = ".*userAssignedIdentities", "PATCH .*k8s"
FAULTS = {
    "Azure": [
        InjectedFault(on=f"GET {IDENTITY}", kind="answer", reply=Reply(status=429, headers={"Retry-After": "40"})),
        InjectedFault(on=f"GET {IDENTITY}", kind="lose"),
        InjectedFault(on=f"PUT {IDENTITY}", kind="answer", reply=Reply(status=500)),
        InjectedFault(on=f"PUT {IDENTITY}", kind="lose"),
        InjectedFault(on=f"PUT {IDENTITY}", kind="double", times=2),
    ],
    "the API server": [
        InjectedFault(on="GET .*k8s", kind="answer", times=3, reply=Reply(status=500)),
        InjectedFault(on=OBJECT, kind="answer", reply=Reply(status=429, headers={"Retry-After": "20"})),
        InjectedFault(on=OBJECT, kind="lose", times=2),
        InjectedFault(on=OBJECT, kind="after", times=2),
        InjectedFault(on=OBJECT, kind="double", times=2),
    ],
}


@pytest.mark.parametrize("of", FAULTS)
async def test_faults_on_the_way_delay_the_binding_and_change_nothing_else(stage: RunningApp, of: str) -> None:
    for fault in FAULTS[of]:
        stage.world.wire.inject(replace(fault))
    await bound(stage)
    assert not [fault for fault in stage.world.wire.faults if fault.times]
    assert len(list(stage.world.arm.of_type(FEDERATIONS))) == 1
    assert len(entries(stage)) == 1
    assert probe(stage, await workload(stage))


async def test_a_worker_killed_after_it_wrote_the_map_writes_no_second_version(stage: RunningApp) -> None:
    killed: list[str] = []

    def kill(function: str, moment: str) -> bool:
        if function == "record_binding" and moment == "after" and not killed:
            killed.append(function)
            stage.host.kill_worker()
            return True
        return False

    stage.host.on_invocation(kill)
    await bound(stage)
    assert (killed, len(entries(stage))) == (["record_binding"], 1)


async def test_a_bound_clusters_daily_run_costs_eight_reads_and_no_write(stage: RunningApp) -> None:
    await bound(stage)
    before, written = len(asked(stage)), (kube_writes(stage), entries(stage), puts(stage))
    await stage.host.invoke_timer("cluster_sweep")
    run = await finished(stage, suffix=f"{stage.clock.now():%Y%m%d}")
    assert (run.status, run.output["changes"]) == ("Completed", [])
    reads = [e.url.partition("?")[0] for e in asked(stage)[before:] if e.method == "GET" or "ResourceGraph" in e.url]
    lists = ("/managedClusters", "/backupVaults")  # one for all clusters
    assert len([url for url in reads if not url.endswith(lists)]) == 8, reads
    assert (kube_writes(stage), entries(stage), puts(stage)) == written
