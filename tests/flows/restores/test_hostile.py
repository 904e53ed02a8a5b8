"""A copy is hostile until shown otherwise: no node, no other kind, no way out; and nobody else's restore is judged."""

from collections.abc import Iterator
from typing import Any

from local import scenario
from local.cloud.arm import Resource
from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.store import WatchEvent
from local.cloud.resources.aks import cluster_id
from local.cloud.wire import InjectedFault, Reply
from local.stage import RunningApp
from tests.worlds.times import HOUR, MINUTE
from tests.worlds.verifications import CLUSTER, SOON, back_up, checks, isolated, restores, run_of, runs, verdict, verify

_HOST = {
    "hostNetwork": True,
    "hostPID": True,
    "volumes": [{"name": "node", "hostPath": {"path": "/"}}, {"name": "nfs", "nfs": {"server": "nfs", "path": "/"}}],
}
_EVIL = ("Role", "RoleBinding", "Service", "Ingress", "Job", "HTTPRoute")


def cluster(stage: RunningApp) -> SimulatedCluster:
    return stage.world.kubernetes.clusters[CLUSTER]


def hostile() -> Iterator[dict[str, Any]]:
    """A workload that owns its node, and objects with controllers or rights elsewhere."""
    deployment = scenario.workload("Deployment", "shop", "miner", 2)
    deployment["spec"]["template"]["spec"] |= _HOST
    deployment["spec"]["template"]["spec"]["containers"][0]["securityContext"] = {"privileged": True}
    yield deployment
    groups = dict(
        zip(_EVIL, ["rbac.authorization.k8s.io", "rbac.authorization.k8s.io", "", "networking.k8s.io"], strict=False)
    )
    groups |= {"Job": "batch", "HTTPRoute": "policy.linkerd.io"}
    for kind in _EVIL[:-1]:
        api = f"{groups[kind]}/v1".lstrip("/")
        template = {"spec": {"containers": [{"name": "evil", "image": "evil:1"}]}}
        spec = {"spec": {"ports": [{"port": 80}], "template": template}}
        yield {"apiVersion": api, "kind": kind, "metadata": {"name": "evil", "namespace": "shop"}, **spec}


def made_in_places(stage: RunningApp) -> list[tuple[str, str]]:
    """Kinds and names of what comes to be in isolated namespaces from now on."""
    made: list[tuple[str, str]] = []

    def note(change: WatchEvent) -> None:
        metadata = change.object["metadata"]
        if change.type == "ADDED" and metadata.get("namespace", "").startswith("verify-"):
            made.append((change.kind.name, metadata["name"]))

    cluster(stage).listeners.append(note)
    return made


async def test_a_workload_that_would_own_its_node_is_restored_and_not_run_and_the_verdict_says_so(
    stage: RunningApp,
) -> None:
    for manifest in hostile():
        cluster(stage).apply(manifest)
    await stage.clock.advance(HOUR)
    made = made_in_places(stage)
    result = await verdict(stage, back_up(stage))
    assert result["verdict"] == "VerifiedWithFindings"
    assert checks(result)["isolation"]
    (reason,) = result["reasons"]
    assert reason.startswith("confinement: restored, but not run: verify-shop-")
    assert reason.endswith("/miner (hostNetwork, hostPID, hostPath, nfs, privileged)")
    assert [name for kind, name in made if kind == "Pod" and name.startswith("miner")] == []
    assert {kind for kind, _ in made} & set(_EVIL) == set()
    assert ("Deployment", "miner") in made


async def inconclusive(stage: RunningApp) -> str:
    """Why a backup's verification ended before anything was restored."""
    result = await verdict(stage, back_up(stage))
    assert (result["verdict"], restores(stage)) == ("Inconclusive", [])
    (reason,) = result["reasons"]
    return str(reason)


async def test_a_cluster_without_a_network_policy_engine_gets_no_copy(stage: RunningApp) -> None:
    found = next(
        r for r in stage.world.arm.of_type("Microsoft.ContainerService/managedClusters") if r["name"] == CLUSTER
    )
    found["properties"]["networkProfile"]["networkPolicy"] = "none"
    assert (await inconclusive(stage)).startswith("NotEnforced: ")


async def test_a_network_policy_that_nothing_enforces_is_found_by_a_call_out_before_anything_is_restored(
    stage: RunningApp,
) -> None:
    cluster(stage).enforces_policies = False
    assert (await inconclusive(stage)).startswith("NotIsolated: ")


async def test_a_cluster_without_the_policies_gets_no_copy(stage: RunningApp) -> None:
    cluster(stage).delete("ValidatingAdmissionPolicyBinding", "", "meshward-copies-confined")
    assert (await inconclusive(stage)).startswith("PoliciesMissing: ")


async def test_a_namespace_that_a_stranger_puts_in_place_of_ours_is_never_restored_into(stage: RunningApp) -> None:
    taken: list[str] = []

    def take(change: WatchEvent) -> None:
        """Whoever may delete namespaces, where the policies were taken away meanwhile."""
        metadata = change.object["metadata"]
        if change.type == "ADDED" and change.kind.name == "Pod" and metadata["name"] == "meshward-outward-0":
            stage.clock.after(MINUTE.total_seconds() / 3, lambda: replace(metadata["namespace"]))

    def replace(name: str) -> None:
        here = cluster(stage)
        if name not in taken and (old := here.find("Namespace", "", name)):
            taken.append(name)
            here.remove(old)
            again = {"name": name, "labels": old["metadata"]["labels"]}
            here.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": again})

    cluster(stage).delete("ValidatingAdmissionPolicyBinding", "", "meshward-reserved")
    cluster(stage).listeners.append(take)
    job = back_up(stage)
    await stage.run(run_of(job), SOON)
    (run,) = runs(stage)
    assert (run.output["verdict"], restores(stage)) == ("Inconclusive", [])
    assert run.output["reasons"][0].startswith("PlaceTaken: ")
    assert set(taken) <= set(isolated(stage)), "somebody's namespace was removed"


async def test_somebody_else_s_restore_is_never_taken_for_ours(stage: RunningApp) -> None:
    jobs, theirs = stage.world.backup_vaults.jobs, list[Resource]()
    verify(stage, sample_rate=1.0, older_point_rate=0.0)
    await verdict(stage, back_up(stage))
    (older,) = jobs.contents
    await stage.clock.advance(HOUR)
    job = back_up(stage)
    (instance,) = stage.world.arm.of_type("Microsoft.DataProtection/backupVaults/backupInstances")

    def meanwhile() -> None:
        """An operator restores an older point into the same cluster, just as our request is lost."""
        theirs[:] = theirs or [jobs.restore_by_hand(instance, older, cluster_id(CLUSTER))]

    lost = InjectedFault("POST .*/backupInstances/[^/]+/restore$", "answer", 5, Reply(status=503), meanwhile)
    stage.world.wire.faults.append(lost)
    result = await verdict(stage, job)
    ours = [each for each in restores(stage) if each["name"] != theirs[0]["name"]]
    assert (result["verdict"], result["reasons"], len(theirs), len(ours)) == ("Verified", [], 1, 2)


async def test_where_a_restore_may_be_ours_or_another_s_nothing_is_judged(stage: RunningApp) -> None:
    jobs, theirs = stage.world.backup_vaults.jobs, list[Resource]()
    job = back_up(stage)
    (point,) = jobs.contents
    (instance,) = stage.world.arm.of_type("Microsoft.DataProtection/backupVaults/backupInstances")

    def meanwhile() -> None:
        """An operator's restore, of which the service doesn't tell what it restores."""
        theirs[:] = theirs or [jobs.restore_by_hand(instance, point, "")]

    lost = InjectedFault("POST .*/backupInstances/[^/]+/restore$", "answer", 5, Reply(status=503), meanwhile)
    stage.world.wire.faults.append(lost)
    result = await verdict(stage, job)
    assert (result["verdict"], restores(stage)) == ("Inconclusive", theirs)
    assert result["reasons"] == [
        f"JobNotProven: restore jobs {theirs[0]['name']} may be of the request that was sent, or not"
    ]
