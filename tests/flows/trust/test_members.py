"""Rotations over members that make it hard: drift, links, windows, pods that nothing replaces, stops, old releases."""

from collections.abc import AsyncIterator, Callable, Iterator
from itertools import cycle

import pytest

from functions.trust.meshes import MESHES
from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.kubelet import RUN_SECONDS
from local.cloud.kubernetes.objects import Object
from local.cloud.linkerd.custom_resources import definition
from local.cloud.linkerd.manifests import link
from local.cloud.wire import InjectedFault, Reply
from local.cloud.world import World
from local.scenario import TRUST_DOMAIN, install_linkerd, seed_trust, workload, workloads
from local.stage import RunningApp
from shared.domain.cluster import MESH_TAG, TRUST_DOMAIN_TAG
from shared.domain.trust.certificates import fingerprints
from shared.domain.trust.mesh import Mesh
from tests.worlds.app import NO_WATCH, open_app
from tests.worlds.manifests import grant
from tests.worlds.rotations import DAYS, RUN, announce, held, rotated, seed, status, steps, vault, writes
from tests.worlds.small_mesh import SWIFT, bundle_of, small_mesh
from tests.worlds.times import HOUR, MINUTE

MEMBER = {MESH_TAG: "linkerd", TRUST_DOMAIN_TAG: TRUST_DOMAIN}


def test_every_mesh_has_a_room() -> None:
    assert set(MESHES) == set(Mesh)


@pytest.fixture
async def stage() -> AsyncIterator[RunningApp]:
    """A trust domain of one cluster, its mesh up and talking."""
    async with open_app(seed=seed, settings=NO_WATCH) as stage:
        await stage.clock.advance(10 * MINUTE)
        yield stage


def east(stage: RunningApp) -> SimulatedCluster:
    return stage.world.kubernetes.clusters["aks-east"]


async def until_phase(stage: RunningApp, phase: str) -> None:
    await stage.run(lambda: status(stage).get("phase") == phase, DAYS)


def put(stage: RunningApp, kind: str, name: str, data: dict[str, str]) -> None:
    """Somebody's kubectl apply."""
    meta = {"name": name, "namespace": "linkerd"}
    east(stage).apply({"apiVersion": "v1", "kind": kind, "metadata": meta, "data": data})


async def test_a_bundle_changed_by_hand_on_the_way_holds_the_rotation_and_is_not_overwritten(stage: RunningApp) -> None:
    announce(stage)
    await until_phase(stage, "settle")
    ours = east(stage).get("ConfigMap", "linkerd", "linkerd-identity-trust-roots")["data"]
    theirs = {"ca-bundle.crt": ours["ca-bundle.crt"] + "\n# mine\n"}
    put(stage, "ConfigMap", "linkerd-identity-trust-roots", theirs)
    found = await held(stage)
    assert (found["reason"], found["blockers"]) == ("BundleDrift", ["aks-east"])
    assert "cluster aks-east" in found["message"]
    assert status(stage)["phase"] == "settle"
    await stage.clock.advance(HOUR)
    assert east(stage).get("ConfigMap", "linkerd", "linkerd-identity-trust-roots")["data"] == theirs
    put(stage, "ConfigMap", "linkerd-identity-trust-roots", ours)
    await stage.run(lambda: "held" not in status(stage), HOUR)
    await rotated(stage)


async def test_an_issuer_changed_by_hand_on_the_way_holds_the_rotation_and_is_not_overwritten(
    stage: RunningApp,
) -> None:
    announce(stage)
    before = east(stage).get("Secret", "linkerd", "linkerd-identity-issuer")["data"]
    await until_phase(stage, "settle")
    ours = east(stage).get("Secret", "linkerd", "linkerd-identity-issuer")["data"]
    put(stage, "Secret", "linkerd-identity-issuer", before)
    assert (await held(stage))["reason"] == "IssuerDrift"
    await stage.clock.advance(HOUR)
    assert east(stage).get("Secret", "linkerd", "linkerd-identity-issuer")["data"] == before
    put(stage, "Secret", "linkerd-identity-issuer", ours)
    await stage.run(lambda: "held" not in status(stage), HOUR)


async def test_a_link_to_a_cluster_outside_the_trust_domain_holds_the_rotation_before_anything_is_made(
    stage: RunningApp,
) -> None:
    for manifest in link("west"):
        east(stage).apply(manifest)
        await stage.clock.advance(MINUTE)
    stage.world.aks.add("aks-west", tags={"meshward:link-name": "west"})
    announce(stage)
    found = await held(stage)
    assert found["reason"] == "LinkedClusterNotMember"
    assert "cluster aks-east is linked to west" in found["message"]
    assert writes(stage) == []
    west = next(r for r in stage.world.arm.resources.values() if r["name"] == "aks-west")
    west["tags"] = {**west["tags"], **MEMBER}
    await stage.run(lambda: status(stage).get("held", {}).get("reason") == "NoMesh", HOUR)
    install_linkerd(stage.world, vault(stage), "aks-west")
    await until_phase(stage, "distribute")


async def test_a_member_whose_id_comes_in_another_case_is_the_same_one_and_no_round_follows_another_at_once(
    stage: RunningApp,
) -> None:
    spellings: Iterator[Callable[[str], str]] = cycle(
        [str, str.upper, lambda id: id.replace("resourcegroups", "resourceGroups"), str.lower]
    )
    stage.world.aks.spell = lambda id: next(spellings)(id)  # noqa: PLW0108  # each id in the next one
    announce(stage)
    await rotated(stage)
    record = stage.host.instance(RUN)
    assert record is not None
    assert len(record.output["members"]) == 1


async def test_rollouts_of_argo_are_restarted_by_their_own_field_and_by_what_infra_teams_grant(
    stage: RunningApp,
) -> None:
    grant(stage.world)
    east(stage).apply(definition("argoproj.io/v1alpha1 rollouts", "Rollout"))
    await stage.clock.advance(MINUTE)
    web = workload("Deployment", "shop", "canary", 2)
    east(stage).apply(web | {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"})
    await stage.clock.advance(10 * MINUTE)
    before = {p["metadata"]["uid"] for p in east(stage).objects("Pod", "shop")}
    assert len(before) > 2
    announce(stage)
    await rotated(stage)
    rollout = east(stage).get("Rollout", "shop", "canary")
    assert rollout["status"]["restartedAt"] == rollout["spec"]["restartAt"]
    assert "annotations" not in rollout["spec"]["template"]["metadata"]
    assert before.isdisjoint(p["metadata"]["uid"] for p in east(stage).objects("Pod", "shop"))


async def test_workloads_restart_only_while_a_maintenance_window_is_open(stage: RunningApp) -> None:
    night = {"maintenance": [{"from": "22:00", "to": "23:00"}], "restarts_at_once": 2}
    stage.say(default={"trust": night})
    announce(stage)
    await until_phase(stage, "distribute")
    await stage.clock.advance(6 * HOUR)
    assert not [line for line in writes(stage) if "/apps/v1/" in line]
    await until_phase(stage, "activate")
    assert 22 <= stage.clock.now().hour < 23
    assert len([line for line in writes(stage) if "/apps/v1/" in line]) == 8


def job(name: str, seconds: int) -> Object:
    template = {
        "metadata": {"annotations": {RUN_SECONDS: str(seconds)}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": name, "image": "busybox"}]},
    }
    meta = {"name": name, "namespace": "shop"}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": {"template": template}}


async def test_pods_that_no_restart_replaces_are_waited_for_and_named_with_what_they_are(stage: RunningApp) -> None:
    stubborn: dict[str, Object] = {"db": {"updateStrategy": {"type": "OnDelete"}}, "cart": {"paused": True}}
    for kind, name in (("StatefulSet", "db"), ("Deployment", "cart")):
        found = east(stage).get(kind, "shop", name)
        east(stage).update({**found, "spec": {**found["spec"], **stubborn[name]}})
    east(stage).apply(job("import", 2 * 3600))
    await stage.clock.advance(MINUTE)
    announce(stage)
    await stage.run(lambda: "verify_trust" in steps(stage), DAYS)
    waits = steps(stage)["verify_trust"]
    assert waits["reason"] == "ProxiesLackRoots"
    assert "5 of " in waits["message"]
    for words in ("(its Deployment is paused, resume it)", "db-0 (its StatefulSet doesn't replace it, delete the pod)"):
        assert words in waits["message"]
    assert "(Job, ends by itself)" in waits["message"]
    cart = east(stage).get("Deployment", "shop", "cart")
    east(stage).update({**cart, "spec": {**cart["spec"], "paused": False}})
    for name in ("db-0", "db-1"):
        east(stage).delete("Pod", "shop", name)
    await until_phase(stage, "activate")


async def test_a_machine_outside_holds_the_new_issuer_back_until_its_keepers_say_what_it_trusts(
    stage: RunningApp,
) -> None:
    meta = {"name": "vm-1", "namespace": "shop"}
    machine = {"apiVersion": "workload.linkerd.io/v1beta1", "kind": "ExternalWorkload", "metadata": meta, "spec": {}}
    east(stage).apply(machine)
    announce(stage)
    await stage.run(lambda: "verify_trust" in steps(stage), DAYS)
    assert "shop/vm-1 (outside the cluster" in steps(stage)["verify_trust"]["message"]
    await stage.clock.advance(2 * HOUR)
    assert status(stage)["phase"] == "distribute"
    trusts = ", ".join(fingerprints(bundle_of(stage, "aks-east")))
    said = {"meshward/trusts": trusts, "meshward/started-at": stage.clock.now().isoformat()}
    east(stage).apply({**machine, "metadata": {**meta, "annotations": said}})
    await until_phase(stage, "activate")


async def test_members_of_old_and_new_releases_rotate_together() -> None:
    def mixed(world: World) -> None:
        seed_trust(world, 0)
        world.linkerd.traffic_every = 300
        for line in ("2.14", "2.15", "2.17", "2.20"):
            name = f"aks-{line.replace('.', '-')}"
            world.aks.add(name, tags=MEMBER)
            install_linkerd(world, world.key_vaults.vaults["kv-meshward"], name, version=line)
            for manifest in workloads():
                world.kubernetes.clusters[name].apply(manifest)

    async with open_app(seed=mixed, settings=NO_WATCH) as stage:
        await stage.clock.advance(10 * MINUTE)
        announce(stage)
        assert len((await rotated(stage))["members"]) == 4


async def test_a_member_stopped_on_the_way_holds_the_rotation_and_catches_up_when_it_is_back() -> None:
    def two(world: World) -> None:
        seed_trust(world, 2)
        world.linkerd.traffic_every = 300

    async with open_app(seed=two, settings=NO_WATCH) as stage:
        await stage.clock.advance(10 * MINUTE)
        announce(stage)
        await until_phase(stage, "settle")
        stage.world.aks.stop("aks-west")
        assert (await held(stage))["reason"] == "MemberStopped"
        await stage.clock.advance(26 * HOUR)  # its leaves have lapsed
        assert status(stage)["phase"] == "settle"
        stage.world.aks.start("aks-west")
        await rotated(stage)


async def test_nothing_begins_while_a_member_is_stopped(stage: RunningApp) -> None:
    stage.world.aks.stop("aks-east")
    announce(stage)
    found = await held(stage)
    assert (found["reason"], found["blockers"]) == ("MemberStopped", ["aks-east"])
    assert writes(stage) == []
    stage.world.aks.start("aks-east")
    await until_phase(stage, "distribute")


async def test_a_member_of_which_azure_says_nothing_that_can_be_read_holds_the_rotation_by_its_name() -> None:
    async with small_mesh("aks-east", "aks-west", left=SWIFT, judged=False) as stage:
        announce(stage)
        await until_phase(stage, "distribute")
        west = next(r for r in stage.world.arm.resources.values() if r["name"] == "aks-west")
        west["tags"] = {}
        odd = Reply(status=400, body={"error": {"code": "Odd", "message": "odd"}})
        on = r"GET .*/managedClusters/aks-west$"
        stage.world.wire.inject(InjectedFault(on=on, kind="answer", times=10_000, reply=odd))
        found = await held(stage)
        assert (found["reason"], found["blockers"]) == ("Odd", ["aks-west"])
        stage.world.wire.faults.clear()
        west["tags"] = MEMBER
        await stage.run(lambda: "held" not in status(stage), HOUR)
