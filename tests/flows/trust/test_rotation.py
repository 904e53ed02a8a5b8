"""A trust root that nears its expiry is replaced over the whole trust domain, and no handshake fails on the way."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from local.cloud.wire import InjectedFault, Reply
from local.host.management import PREFIX
from local.scenario import OLD_ROOT, TRUST_DOMAIN, install_linkerd, seed_trust, workloads
from local.stage import RunningApp
from shared.domain.trust.certificates import fingerprint
from tests.worlds.app import NO_WATCH, call, open_app
from tests.worlds.rotations import (
    BARE,
    DAYS,
    NEW_ROOT,
    RUN,
    announce,
    held,
    rotated,
    runs,
    seed,
    status,
    steps,
    vault,
    writes,
)
from tests.worlds.store import misplaced
from tests.worlds.times import HOUR, MINUTE


@pytest.fixture
async def stage() -> AsyncIterator[RunningApp]:
    """A trust domain of one cluster, its mesh up and talking."""
    async with open_app(seed=seed, settings=NO_WATCH) as stage:
        await stage.clock.advance(9 * MINUTE)
        yield stage


async def test_a_root_near_its_expiry_is_replaced_over_all_clusters() -> None:
    async with open_app(seed=lambda world: seed_trust(world, 2), settings=NO_WATCH) as stage:
        vault(stage).events_as_sampled = True
        await stage.clock.advance(9 * MINUTE)
        announce(stage)
        result = await rotated(stage)
        assert result["trust_domain"] == TRUST_DOMAIN
        assert len(result["members"]) == 2
        assert result["proxies"] == len(stage.world.linkerd.proxies(TRUST_DOMAIN))
        old = vault(stage).certificate(OLD_ROOT).current.certificate
        assert old
        assert result["old_root"] == fingerprint(old)
        assert result["started"] < result["activated"] < result["finished"]
        again = Counter(writes(stage))
        restarts = {line: n for line, n in again.items() if "/apps/v1/" in line}
        assert set(restarts.values()) == {2}, "each workload is restarted for both roots and for the new one alone"
        assert len(restarts) == 2 * (3 + 5)
        bundles = {line: n for line, n in again.items() if "linkerd-identity-trust-roots" in line}
        assert set(bundles.values()) == {2}
        issuers = {line: n for line, n in again.items() if "linkerd-identity-issuer" in line}
        assert set(issuers.values()) == {3}, "the issuer once, and the bundle beside it with each bundle"
        others = {line: n for line, n in again.items() if line not in {**restarts, **bundles, **issuers}}
        assert {n for line, n in others.items() if not line.endswith("/create")} == {1}, others
        assert json.loads((stage.evidence / "rotations" / f"{RUN}.json").read_text()) == result
        assert misplaced(stage) == []
        assert_no_secret(stage)


def assert_no_secret(stage: RunningApp) -> None:
    """No key and no token stands in history, status or log."""
    secret = stage.world.kubernetes.clusters["aks-east"].get("Secret", "linkerd", "linkerd-identity-issuer")
    shown = str(stage.host.instances()) + "\n".join(stage.log)
    for text in ("PRIVATE KEY", "Bearer ey", secret["data"]["tls.key"][:60]):
        assert text not in shown


async def test_the_same_event_over_and_over_and_out_of_order_starts_one_rotation(stage: RunningApp) -> None:
    stage.world.event_grid.hold_back(600, 5)
    stage.world.event_grid.deliver_twice()
    announce(stage)
    announce(stage)
    await rotated(stage)
    assert len(stage.world.event_grid.deliveries) == 3
    before = writes(stage)
    announce(stage)
    await stage.clock.advance(HOUR)
    assert len(stage.world.event_grid.deliveries) == 4
    await rotated(stage)
    assert writes(stage) == before
    assert not stage.world.event_grid.dead_letters


@pytest.mark.parametrize("phase", ["distribute", "settle"])
async def test_a_rotation_that_is_begun_anew_goes_on_where_the_world_is(stage: RunningApp, phase: str) -> None:
    announce(stage)
    await stage.run(lambda: status(stage).get("phase") == phase)
    before = Counter(writes(stage))
    async with aiohttp.ClientSession() as http:
        await http.post(f"{stage.host.url}{PREFIX}{RUN}/terminate")
        await stage.run(RUN)
        await http.delete(f"{stage.host.url}{PREFIX}{RUN}")
    announce(stage)
    await rotated(stage)
    made = {line: n for line, n in Counter(writes(stage)).items() if line in before}
    most = {line: 2 if "/create" in line or "/k8s/" in line else 1 for line in made}
    most |= {line: 3 for line in made if "linkerd-identity-issuer" in line}
    assert made == most


async def test_events_that_cannot_be_right_are_dead_lettered_and_start_nothing(stage: RunningApp) -> None:
    now = stage.clock.now()
    vault(stage).seed_root("web", subject_cn="web", not_before=now, not_after=now + 30 * DAYS, tags={})
    wrong: list[dict[str, Any]] = [
        {"ObjectName": None},
        {"ObjectName": 7},
        {"ObjectName": "missing"},
        {"ObjectName": "web"},
        {"VaultName": None},
        {"VaultName": "kv-other"},
    ]
    for data in wrong:
        announce(stage, **data)
    dead = stage.world.event_grid.dead_letters
    await stage.run(lambda: len(dead) == len(wrong), DAYS)
    assert runs(stage) == []
    assert writes(stage) == []
    assert sum("event declined" in line for line in stage.log) >= len(wrong)


async def test_a_cluster_that_joins_on_the_way_trusts_both_roots_before_an_issuer_changes(stage: RunningApp) -> None:
    announce(stage)
    await stage.run(lambda: phase_of(stage) == "distribute", DAYS)
    stage.world.aks.add("aks-late", tags={"meshward:mesh": "linkerd", "meshward:trust-domain": TRUST_DOMAIN})
    install_linkerd(stage.world, vault(stage), "aks-late")
    for workload in workloads():
        stage.world.kubernetes.clusters["aks-late"].apply(workload)
    result = await rotated(stage)
    assert [member.rpartition("/")[2] for member in result["members"]] == ["aks-east", "aks-late"]


def phase_of(stage: RunningApp) -> str | None:
    run = stage.host.instance(RUN)
    return run.custom_status["phase"] if run and run.custom_status else None


async def test_faults_on_the_way_delay_a_rotation_and_change_nothing_else(stage: RunningApp) -> None:
    throttled = Reply(status=429, headers={"Retry-After": "40"})
    faults = [
        InjectedFault(on="GET .*managedClusters", kind="answer", times=2, reply=throttled),
        InjectedFault(on="listClusterUserCredential", kind="answer", times=2, reply=Reply(status=500)),
        InjectedFault(on="POST .*/create", kind="lose"),
        InjectedFault(on="POST .*/merge", kind="double"),
        InjectedFault(on="POST .*/sign", kind="after", times=2),
        InjectedFault(on="GET .*/vaults/", kind="answer", times=3, reply=throttled),
        InjectedFault(on="PATCH .*/configmaps/", kind="lose"),
        InjectedFault(on="PATCH .*/deployments/", kind="double", times=3),
        InjectedFault(on="PATCH .*/deployments/", kind="after", times=3),
        InjectedFault(on="PATCH .*/statefulsets/", kind="lose"),
        InjectedFault(on="PATCH .*/secrets/", kind="after"),
        InjectedFault(on="GET .*/proxy/metrics", kind="answer", times=9),
        InjectedFault(on="GET .*/k8s/.*/pods$", kind="lose", times=4),
    ]
    for fault in faults:
        stage.world.wire.inject(fault)
    announce(stage)
    await rotated(stage)
    assert [fault.on for fault in faults if fault.times] == []
    *drafts, root = vault(stage).certificate(NEW_ROOT).versions
    assert (len(drafts), root.enabled) == (2, True), "as the answer to the first request is lost, another key is made"
    assert not any(draft.enabled for draft in drafts)


async def test_a_pod_that_nobody_restarts_holds_the_new_issuer_back_by_name(stage: RunningApp) -> None:
    stage.say(default={"trust": {"distribute_within": "PT1H"}})
    cluster = stage.world.kubernetes.clusters["aks-east"]
    cluster.apply(BARE)
    await stage.clock.advance(MINUTE)
    announce(stage)
    found = await held(stage)
    assert found == found | {
        "reason": "ProxiesLackRoots",
        "message": "aks-east: 1 of 23 proxies don't trust the roots of the phase yet: shop/debug (bare pod, delete it)",
        "blockers": ["aks-east/shop/debug (bare pod, delete it)"],
    }
    assert sum("linkerd-identity-issuer" in line for line in writes(stage)) == 1, "only the bundle beside it"
    cluster.delete("Pod", "shop", "debug")
    await stage.run(lambda: status(stage).get("phase") == "settle")
    cluster.apply({**BARE, "metadata": {**BARE["metadata"], "name": "late"}})  # trusts both: blocks retire, not settle
    await stage.run(lambda: status(stage).get("phase") == "retire" and "verify_trust" in steps(stage))
    assert "shop/late" in steps(stage)["verify_trust"]["message"]
    cluster.delete("Pod", "shop", "late")
    await rotated(stage)


async def test_an_identity_replica_that_misses_the_new_issuer_is_restarted(stage: RunningApp) -> None:
    announce(stage)
    await stage.run(lambda: status(stage).get("phase") == "activate")
    pods = stage.world.kubernetes.clusters["aks-east"].objects("Pod", "linkerd")
    stage.world.linkerd.miss_reload(next(p for p in pods if p["metadata"]["name"].startswith("linkerd-identity")))
    await rotated(stage)
    assert sum("deployments/linkerd-identity" in line for line in writes(stage)) == 3
    assert any("restarted for a missed reload" in line for line in stage.log)


async def test_a_mesh_that_manages_its_own_certificates_is_refused_before_anything_is_made(stage: RunningApp) -> None:
    cluster = stage.world.kubernetes.clusters["aks-east"]
    config = cluster.get("ConfigMap", "linkerd", "linkerd-config")
    values = config["data"]["values"].replace("externalCA: true", "externalCA: false")
    assert values != config["data"]["values"]
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", **config, "data": {"values": values}})
    announce(stage)
    assert (await held(stage))["reason"] == "NotExternalCA"
    assert "Linkerd in cluster aks-east" in status(stage)["held"]["message"]
    assert writes(stage) == []


async def test_a_bundle_that_another_tool_writes_is_refused_by_the_tools_name(stage: RunningApp) -> None:
    cluster = stage.world.kubernetes.clusters["aks-east"]
    found = cluster.get("ConfigMap", "linkerd", "linkerd-identity-trust-roots")
    metadata = {"name": "linkerd-identity-trust-roots", "namespace": "linkerd"}
    data = {"ca-bundle.crt": "# ours\n" + found["data"]["ca-bundle.crt"]}
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    cluster.apply(manifest, manager="trust-manager")
    announce(stage)
    assert (await held(stage))["reason"] == "OwnedByOther"
    assert "the bundle of cluster aks-east is written by trust-manager" in status(stage)["held"]["message"]
    assert writes(stage) == []


async def test_events_start_no_rotation_that_failed_again_and_an_operator_does(stage: RunningApp) -> None:
    stage.host.on_invocation(lambda function, moment: function == "rotate_trust_root" and moment == "after")
    for _ in range(4):
        announce(stage)
        await stage.clock.advance(10 * MINUTE)
    assert [run.status for run in runs(stage)] == ["Failed"]
    stage.host.on_invocation(None)
    _, started = await call(stage, "POST", "rotations", {"certificate": OLD_ROOT})
    assert started["instance_id"] == f"{RUN}-2"
