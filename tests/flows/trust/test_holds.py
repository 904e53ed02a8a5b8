"""Rotations that are kept from going on: holds, commands of operators, aborts, clusters that come and go, downtime."""

import json
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from cryptography import x509

from local.cloud.key_vault.vault import Vault
from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.world import World
from local.host.durable import OrchestrationState
from local.scenario import KEY_VAULT, OLD_ROOT, TRUST_DOMAIN
from local.stage import RunningApp
from shared.domain.trust.certificates import fingerprint
from tests.worlds.app import NO_WATCH
from tests.worlds.rotations import BARE, NEW_ROOT, RUN, announce, held, rotated, runs, status, vault, writes
from tests.worlds.small_mesh import SWIFT, bundle_of, go_back_on_a_proof, join, join_at, reach, send, small_mesh
from tests.worlds.times import HOUR, MINUTE

SWEPT = {name: value for name, value in NO_WATCH.items() if "expiry_sweep" not in name}


def east(stage: RunningApp) -> SimulatedCluster:
    return stage.world.kubernetes.clusters["aks-east"]


def impatient(stage: RunningApp) -> None:
    """The policy lets a distribution take twenty minutes."""
    stage.say(default={"trust": {"distribute_within": "PT20M"}})


def old_root(vault: Vault) -> x509.Certificate:
    found = vault.certificate(OLD_ROOT).current.certificate
    assert found
    return found


def record(stage: RunningApp, instance_id: str = RUN) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((stage.evidence / "rotations" / f"{instance_id}.json").read_text())
    return found


async def aborted(stage: RunningApp) -> dict[str, Any]:
    """The record of the rotation, which must have gone back with proof and unnoticed by the mesh."""
    await stage.run(RUN)
    (run,) = runs(stage)
    assert (run.status, run.output["outcome"]) == ("Completed", "aborted"), run.failure
    linkerd, old = stage.world.linkerd, old_root(vault(stage))
    assert linkerd.roots(TRUST_DOMAIN) == {fingerprint(old)}
    assert not linkerd.failed
    assert not linkerd.violations
    assert not linkerd.broken_pairs()
    for plane in linkerd.control_planes.values():
        for identity in plane.identities.values():
            assert identity.issuer
            identity.issuer.certificate.verify_directly_issued_by(old)
    enabled = {n: any(v.enabled for v in c.versions) for n, c in vault(stage).certificates.items()}
    assert enabled in ({OLD_ROOT: True}, {OLD_ROOT: True, NEW_ROOT: False})
    assert record(stage) == run.output
    return record(stage)


@pytest.mark.parametrize(
    ("phase", "way"),
    [
        ("prepare", ["prepare", "withdraw"]),  # heard in the round that makes the root
        ("distribute", ["prepare", "distribute", "withdraw"]),
        ("activate", ["prepare", "distribute", "activate", "reissue", "resettle", "withdraw"]),
        ("settle", ["prepare", "distribute", "activate", "settle", "reissue", "resettle", "withdraw"]),
    ],
)
async def test_an_abort_goes_back_with_proof(phase: str, way: list[str]) -> None:
    async with small_mesh() as stage:
        seen: list[str] = []

        def note(instance: OrchestrationState) -> None:
            if instance.id == RUN and instance.custom_status:
                seen.append(instance.custom_status["phase"])

        stage.host.on_change(note)
        announce(stage)
        await reach(stage, phase)
        await stage.run(lambda: NEW_ROOT in vault(stage).certificates, HOUR)
        await send(stage, "abort")
        result = await aborted(stage)
        assert list(dict.fromkeys(seen)) == way
        assert result["new_root"]


@pytest.mark.parametrize("commands", [("resume", "abort"), ("abort", "resume"), ("abort", "swift", "resume")])
async def test_an_abort_acts_whatever_other_commands_come_at_the_same_time(commands: tuple[str, ...]) -> None:
    async with small_mesh() as stage:
        impatient(stage)
        east(stage).apply(BARE)
        await stage.clock.advance(MINUTE)
        announce(stage)
        await held(stage)
        with stage.clock.busy():
            for command in commands:
                await send(stage, command)
        await reach(stage, "withdraw")


async def test_an_abort_that_comes_while_the_policy_document_is_refused_acts_once_that_is_mended() -> None:
    async with small_mesh() as stage:
        announce(stage)
        await reach(stage, "distribute")
        stage.policy.write_text("{}}")
        assert (await held(stage))["reason"] == "BadPolicy"
        await send(stage, "abort")
        await stage.clock.advance(HOUR)
        assert status(stage)["phase"] == "distribute"
        stage.say()
        await reach(stage, "withdraw")


async def test_an_abort_before_a_root_was_made_ends_at_once() -> None:
    async with small_mesh() as stage:
        config = east(stage).get("ConfigMap", "linkerd", "linkerd-config")
        values = config["data"]["values"].replace("externalCA: true", "externalCA: false")
        east(stage).apply({"apiVersion": "v1", "kind": "ConfigMap", **config, "data": {"values": values}})
        announce(stage)
        assert (await held(stage))["reason"] == "NotExternalCA"
        await send(stage, "abort")
        result = await aborted(stage)
        assert result["new_root"] == ""
        assert list(vault(stage).certificates) == [OLD_ROOT]


async def test_a_command_that_comes_too_late_is_logged_with_the_reason_and_changes_nothing() -> None:
    async with small_mesh(left=SWIFT) as stage:
        announce(stage)
        await reach(stage, "retire")
        assert status(stage)["mode"] == "swift"
        await send(stage, "abort")
        await send(stage, "replace")
        await stage.run(RUN)
        assert record(stage)["outcome"] == "rotated"
        assert not stage.world.linkerd.violations
        logged = [line for line in stage.log if "word not acted on" in line]
        for reason in ("NotAbortable", "NothingToReplace"):
            assert any(reason in line for line in logged)


async def test_an_operator_who_asks_for_a_mode_that_changes_nothing_gets_a_conflict_and_may_repeat_a_call() -> None:
    async with small_mesh(left=SWIFT) as stage:
        announce(stage)
        await reach(stage, "settle")
        web = east(stage).get("Deployment", "shop", "web")
        east(stage).update({**web, "spec": {**web["spec"], "paused": True}})
        plan = await call(stage, f"plans/rotations/{OLD_ROOT}?mode=compromise")
        for _ in range(2):
            asked = call(stage, "rotations", certificate=OLD_ROOT, mode="compromise", plan=plan["hash"])
            assert (await asked)["instance_id"] == RUN
        await stage.clock.advance(SWIFT)
        plan = await call(stage, f"plans/rotations/{OLD_ROOT}")
        assert (plan["mode"], status(stage)["phase"], status(stage)["mode"]) == ("replace", "retire", "swift")
        late = await call(stage, "rotations", 409, certificate=OLD_ROOT, mode="replace", plan=plan["hash"])
        assert late["reason"] == "NothingToReplace"
        assert "phase retire, mode swift" in late["message"]


async def test_what_was_aborted_begins_again_by_a_call_alone_and_with_a_new_generation() -> None:
    async with small_mesh(settings=SWEPT) as stage:
        await reach(stage, "distribute")
        await send(stage, "abort")
        await aborted(stage)
        announce(stage)
        await stage.clock.advance(HOUR)
        assert [run.id for run in runs(stage)] == [RUN]
        again = RUN.replace("g2", "g3")
        assert (await call(stage, "rotations", certificate=OLD_ROOT))["instance_id"] == again
        await stage.run(again)
        assert record(stage, again)["outcome"] == "rotated"
        assert not stage.world.linkerd.violations
        versions = vault(stage).certificate(NEW_ROOT.replace("0002", "0003")).versions
        assert [bool(v.tags) for v in versions] == [False, True]


async def call(stage: RunningApp, route: str, expected: int = 0, **body: str) -> dict[str, Any]:
    headers, url = {"Authorization": f"Bearer {stage.token()}"}, f"{stage.host.url}/api/{route}"
    method = "POST" if body else "GET"
    async with aiohttp.ClientSession() as http, http.request(method, url, headers=headers, json=body or None) as answer:
        assert answer.status == expected if expected else answer.status < 300, await answer.text()
        found: dict[str, Any] = await answer.json()
        return found


async def test_a_phase_past_its_deadline_is_held_by_name_and_an_operators_resume_gives_it_its_time_anew() -> None:
    async with small_mesh() as stage:
        impatient(stage)
        east(stage).apply(BARE)
        await stage.clock.advance(MINUTE)
        announce(stage)
        await reach(stage, "distribute")
        begun = stage.clock.time()
        found = await held(stage)
        assert (found["reason"], found["blockers"]) == (
            "ProxiesLackRoots",
            ["aks-east/shop/debug (bare pod, delete it)"],
        )
        assert 1200 < stage.clock.time() - begun < 1200 + 600
        assert any("rotation on hold" in line and "shop/debug" in line for line in stage.log)
        resumed = stage.clock.time()
        await send(stage, "resume")
        await stage.run(lambda: "held" not in status(stage), 10 * MINUTE)
        await held(stage)
        assert stage.clock.time() - resumed >= 1200
        assert bundle_of(stage, "aks-east").count("BEGIN") == 2
        east(stage).delete("Pod", "shop", "debug")
        await reach(stage, "activate")
        assert stage.clock.time() - resumed < 2400
        assert not stage.world.linkerd.violations


async def test_no_history_grows_however_long_a_rotation_is_on_hold() -> None:
    async with small_mesh("aks-east", "aks-west") as stage:
        impatient(stage)
        east(stage).apply(BARE)
        await stage.clock.advance(MINUTE)
        announce(stage)
        await held(stage)
        seen = [await longest(stage, HOUR), await longest(stage, HOUR), await longest(stage, 4 * HOUR)]
        assert max(seen[1:]) <= seen[0] < 100


async def longest(stage: RunningApp, time: timedelta) -> int:
    """Events in the longest history of any instance, at any of some moments of this time."""
    found = []
    for _ in range(20):
        await stage.clock.advance(time / 20)
        found.append(max(len(history.pastEvents) for history in stage.host.histories()))
    return max(found)


async def test_a_cluster_that_has_changed_since_it_was_proven_keeps_the_new_issuer_back() -> None:
    async with small_mesh("aks-east", "aks-west") as stage:
        impatient(stage)
        await go_back_on_a_proof(stage)
        await stage.run(lambda: "aks-east" in str(status(stage).get("held")), 2 * HOUR)
        assert status(stage)["phase"] == "distribute"
        assert status(stage)["held"]["blockers"] == ["aks-east/shop/debug (bare pod, delete it)"]
        east(stage).delete("Pod", "shop", "debug")
        await rotated(stage)


async def test_a_cluster_joins_while_leaves_are_renewed_and_neither_events_nor_a_late_abort_change_anything() -> None:
    async with small_mesh() as stage:
        announce(stage)
        await reach(stage, "settle")
        await stage.clock.advance(5 * HOUR)
        join(stage, "aks-late", bundle=bundle_of(stage, "aks-east"), signer=OLD_ROOT)
        announce(stage)
        await reach(stage, "retire")
        await send(stage, "abort")
        result = await rotated(stage)
        assert any("word not acted on" in line and "NotAbortable" in line for line in stage.log)
        assert [member.rpartition("/")[2] for member in result["members"]] == ["aks-east", "aks-late"]


@pytest.mark.parametrize("signer", [OLD_ROOT, NEW_ROOT])
async def test_nothing_is_retired_before_a_cluster_that_joins_then_has_caught_up(signer: str) -> None:
    """The infrastructure team gives it the bundle of the day, of both roots, or the new root already."""
    async with small_mesh() as stage:
        join_at(stage, "retire", signer=signer)
        announce(stage)
        result = await rotated(stage)
        assert [member.rpartition("/")[2] for member in result["members"]] == ["aks-east", "aks-late"]


async def test_a_cluster_that_is_deleted_on_the_way_is_not_waited_for() -> None:
    async with small_mesh("aks-east", "aks-west") as stage:
        impatient(stage)
        stage.world.kubernetes.clusters["aks-west"].apply(BARE)
        await stage.clock.advance(MINUTE)
        announce(stage)
        await held(stage)
        assert status(stage)["held"]["blockers"] == ["aks-west/shop/debug (bare pod, delete it)"]
        stage.world.aks.remove("aks-west")
        del stage.world.linkerd.control_planes["aks-west"]
        result = await rotated(stage)
        assert [member.rpartition("/")[2] for member in result["members"]] == ["aks-east"]


async def test_an_expired_root_is_replaced_and_from_then_on_every_handshake_holds_again() -> None:
    async with small_mesh(left=2 * HOUR) as stage:
        stage.say(default={"trust": {"root_lifetime": "P30D"}})
        linkerd = stage.world.linkerd
        await stage.clock.advance(2 * HOUR)
        assert linkerd.failed
        plan = await call(stage, f"plans/rotations/{OLD_ROOT}")
        assert (plan["mode"], plan["impact"].partition(":")[0]) == ("replace", "downtime")
        await call(stage, "rotations", certificate=OLD_ROOT, mode="replace", plan=plan["hash"])
        begun = stage.clock.time()
        await stage.run(RUN)
        assert record(stage)["outcome"] == "rotated"
        assert stage.clock.time() - begun < 3600
        linkerd.failed.clear()
        before = linkerd.handshakes
        await stage.clock.advance(25 * HOUR)
        assert linkerd.handshakes > before + 1000
        assert not linkerd.failed
        assert not linkerd.broken_pairs()
        assert len([line for line in writes(stage) if "/apps/v1/" in line]) == 3 + 2, "one restart each"


def add_a_root_called_as_the_new_one(world: World) -> None:
    """A trust domain whose name differs in a hyphen alone."""
    tags = {"meshward:mesh": "linkerd", "meshward:trust-domain": "prod-contoso.example", "meshward:generation": "1"}
    now = world.clock.now()
    world.key_vaults.vaults[KEY_VAULT].seed_root(
        NEW_ROOT, subject_cn="root.linkerd.prod-contoso.example", not_before=now, not_after=now + 900 * HOUR, tags=tags
    )


async def test_a_root_of_another_trust_domain_that_is_called_as_the_new_one_is_not_taken_for_it() -> None:
    async with small_mesh(seeded=add_a_root_called_as_the_new_one) as stage:
        announce(stage)
        assert (await held(stage))["reason"] == "ForeignRoot"
        assert writes(stage) == []
