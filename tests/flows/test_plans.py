"""What is due and what a rotation would do, over HTTP; starting by a plan's hash; words to a rotation that runs."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from local.cloud.key_vault.vault import Vault
from local.cloud.world import World
from local.scenario import KEY_VAULT, KEY_VAULT_TOPIC, OLD_ROOT, TRUST_DOMAIN, install_linkerd, seed_trust
from local.stage import RunningApp
from tests.worlds.app import open_app
from tests.worlds.times import DAY, HOUR, MINUTE

RUN = "rotate-prod-contoso-example-702c5961d5b82e49-g2"
PLANS, PLAN = "plans/rotations", f"plans/rotations/{OLD_ROOT}"
NO_WATCH = {"AzureWebJobs.backup_watch.Disabled": "true"}
BY_HAND = NO_WATCH | {f"AzureWebJobs.{timer}.Disabled": "true" for timer in ("expiry_sweep", "issuer_sweep")}
MESHED = {"meshward:mesh": "linkerd", "meshward:trust-domain": TRUST_DOMAIN}


@pytest.fixture
async def stage() -> AsyncIterator[RunningApp]:
    """A trust domain of two clusters, its root's last month begun; no timer runs."""
    async with fleet(365 * DAY, 30 * DAY, BY_HAND) as stage:
        await stage.clock.advance(10 * MINUTE)
        yield stage


@asynccontextmanager
async def fleet(life: timedelta, left: timedelta, settings: Mapping[str, str]) -> AsyncIterator[RunningApp]:
    """Two clusters under a root with this life, of which so much is left."""

    def seed(world: World) -> None:
        seed_trust(world, 2, lifetime=life, left=left)
        world.linkerd.traffic_every = 300

    async with open_app(seed=seed, settings=settings) as stage:
        yield stage


def vault(stage: RunningApp) -> Vault:
    return stage.world.key_vaults.vaults[KEY_VAULT]


def cluster(stage: RunningApp, name: str) -> str:
    found: str = next(r for r in stage.world.arm.resources.values() if r["name"] == name)["id"]
    return found


async def get(stage: RunningApp, route: str, status: int = 200) -> Any:
    return await call(stage, "GET", route, status)


async def post(stage: RunningApp, route: str, status: int = 202, **body: Any) -> Any:
    return await call(stage, "POST", route, status, json=body)


async def call(stage: RunningApp, method: str, route: str, status: int, **more: Any) -> Any:
    headers = {"Authorization": f"Bearer {stage.token()}"}
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, f"{stage.host.url}/api/{route}", headers=headers, **more) as answer,
    ):
        body = await answer.json()
        assert answer.status == status, body
        return body


def phase(stage: RunningApp) -> str:
    run = stage.host.instance(RUN)
    return (run.custom_status or {}).get("phase", "") if run else ""


async def test_what_is_due_is_known_without_asking_any_cluster(stage: RunningApp) -> None:
    before = len(stage.world.wire.exchanges)
    (root,) = (await get(stage, PLANS))["rotations"]
    assert (root["certificate"], root["trust_domain"]) == (OLD_ROOT, TRUST_DOMAIN)
    assert (root["mode"], root["reason"]) == ("routine", "Overdue")
    assert root["due"] < root["activate_by"] < root["expires"]
    asked = [e.url for e in list(stage.world.wire.exchanges)[before:]]
    assert not [url for url in asked if "managedClusters/" in url or "/k8s/" in url]


async def test_a_plan_names_what_will_restart_in_each_cluster_and_changes_nothing(stage: RunningApp) -> None:
    before = len(stage.world.wire.exchanges)
    plan = await get(stage, PLAN)
    assert [m["cluster"].rpartition("/")[2] for m in plan["members"]] == ["aks-east", "aks-west"]
    for member in plan["members"]:
        assert {"Deployment/linkerd/linkerd-identity", "StatefulSet/shop/db"} < set(member["restarts"])
        assert len(member["restarts"]) == 3 + 5
        assert (member["waits_for"], member["blocker"]) == ([], None)
    assert (plan["mode"], plan["restarts_each"], len(plan["roots"])) == ("routine", 2, 1)
    assert plan["rotation"]["old"] == OLD_ROOT
    assert plan == await get(stage, PLAN)
    sent = {
        (e.method, e.url.rpartition("/")[2]) for e in list(stage.world.wire.exchanges)[before:] if e.method != "GET"
    }
    reading = {"listClusterUserCredential", "selfsubjectaccessreviews"}
    assert {path.partition("?")[0] for _, path in sent} <= reading
    assert stage.host.instances() == []


async def test_a_plan_says_what_blocks_a_member_and_what_has_to_end_by_itself(stage: RunningApp) -> None:
    east, west = (stage.world.kubernetes.clusters[name] for name in ("aks-east", "aks-west"))
    config = east.get("ConfigMap", "linkerd", "linkerd-config")
    values = config["data"]["values"].replace("externalCA: true", "externalCA: false")
    east.apply({"apiVersion": "v1", "kind": "ConfigMap", **config, "data": {"values": values}})
    containers = [{"name": "shell", "image": "busybox"}]
    metadata = {"name": "debug", "namespace": "shop"}
    west.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": containers}})
    await stage.clock.advance(MINUTE)
    blocked, fit = (await get(stage, PLAN))["members"]
    assert blocked["blocker"]["reason"] == "NotExternalCA"
    assert (fit["blocker"], fit["waits_for"]) == (None, ["shop/debug"])


async def test_a_compromised_root_is_rotated_swiftly_by_the_plan_that_was_seen(stage: RunningApp) -> None:
    routine, swift = await get(stage, PLAN), await get(stage, f"{PLAN}?mode=compromise")
    assert (swift["mode"], swift["restarts_each"]) == ("swift", 3)
    for wrong in (routine["hash"], "none"):
        refused = await post(stage, "rotations", 409, certificate=OLD_ROOT, mode="compromise", plan=wrong)
        assert refused["reason"] == "PlanChanged"
    assert stage.host.instances() == []
    began = stage.clock.now()
    await post(stage, "rotations", certificate=OLD_ROOT, mode="compromise", plan=swift["hash"])
    assert (await rotation(stage))["mode"] == "swift"
    assert stage.clock.now() - began < HOUR
    assert not stage.world.linkerd.failed


async def test_a_routine_rotation_that_waits_goes_on_swiftly_when_the_root_is_found_compromised(
    stage: RunningApp,
) -> None:
    await post(stage, "rotations", certificate=OLD_ROOT)
    await stage.run(lambda: phase(stage) == "settle")
    plan = await get(stage, f"{PLAN}?mode=compromise")
    assert len(plan["roots"]) == 2
    told = await post(stage, "rotations", certificate=OLD_ROOT, mode="compromise", plan=plan["hash"])
    assert told["instance_id"] == RUN
    await stage.run(RUN, HOUR)
    assert not stage.world.linkerd.failed


async def test_a_plan_from_before_a_cluster_joined_starts_nothing(stage: RunningApp) -> None:
    seen = await get(stage, f"{PLAN}?mode=compromise")
    stage.world.aks.add("aks-late", tags=MESHED)
    install_linkerd(stage.world, vault(stage), "aks-late")
    refused = await post(stage, "rotations", 409, certificate=OLD_ROOT, mode="compromise", plan=seen["hash"])
    assert refused["reason"] == "PlanChanged"
    assert stage.host.instances() == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"mode": "compromise"}, "MalformedBody"),
        ({"mode": "compromise", "plan": 7}, "MalformedBody"),
        ({"mode": "swift", "plan": "any"}, "UnknownMode"),
    ],
)
async def test_a_start_by_plan_without_a_plan_or_with_an_unknown_mode_is_refused(
    stage: RunningApp, body: dict[str, Any], reason: str
) -> None:
    assert (await post(stage, "rotations", 400, certificate=OLD_ROOT, **body))["reason"] == reason
    assert stage.host.instances() == []


async def test_an_expired_root_is_replaced_only_by_somebody_who_has_seen_the_plan() -> None:
    async with fleet(365 * DAY, 9 * MINUTE, NO_WATCH) as stage:
        await stage.clock.advance(11 * MINUTE)
        stage.world.event_grid.publish(KEY_VAULT_TOPIC, vault(stage).near_expiry_event(OLD_ROOT))
        await stage.clock.advance(MINUTE)
        refused = await post(stage, "rotations", 400, certificate=OLD_ROOT)
        assert refused["reason"] == "RootExpired"
        assert f"GET /api/{PLAN}" in refused["message"]
        assert stage.host.instances() == []
        assert sum("RootExpired" in line and f"GET /api/{PLAN}" in line for line in stage.log) >= 3
        plan = await get(stage, PLAN)
        assert (plan["mode"], plan["impact"].partition(":")[0]) == ("replace", "downtime")
        assert plan["hash"] == (await get(stage, f"{PLAN}?mode=replace"))["hash"]
        mistaken = await post(stage, "rotations", 409, certificate=OLD_ROOT, mode="compromise", plan=plan["hash"])
        assert mistaken["reason"] == "PlanChanged"
        assert stage.host.instances() == []
        await post(stage, "rotations", certificate=OLD_ROOT, mode="replace", plan=plan["hash"])
        assert (await rotation(stage))["mode"] == "replace"
        down = len(stage.world.linkerd.failed)
        assert down > 0
        await stage.clock.advance(HOUR)
        assert len(stage.world.linkerd.failed) == down


async def test_a_root_of_an_hour_is_rotated_in_time_with_nobody_watching() -> None:
    async with fleet(HOUR, HOUR, NO_WATCH) as stage:
        await stage.clock.advance(29 * MINUTE)
        assert stage.host.instance(RUN) is None
        assert (await rotation(stage))["mode"] == "swift"
        assert not stage.world.linkerd.failed


async def test_a_root_of_a_year_is_rotated_at_half_of_it_though_no_event_came() -> None:
    async with fleet(365 * DAY, 183 * DAY, NO_WATCH) as stage:
        await stage.clock.advance(DAY / 2 - MINUTE)
        assert stage.host.instance(RUN) is None
        assert (await rotation(stage))["mode"] == "routine"
        await stage.clock.advance(HOUR)
        assert [i.id for i in stage.host.instances() if i.name == "rotate_trust_root"] == [RUN]
        assert not stage.world.linkerd.failed


async def rotation(stage: RunningApp) -> Any:
    """The course of the rotation, which must end well."""
    await stage.run(RUN)
    run = stage.host.instance(RUN)
    assert run is not None
    assert run.output["outcome"] == "rotated", run.failure
    return run.input


async def test_a_rotation_can_be_aborted_until_it_retires_the_old_root(stage: RunningApp) -> None:
    assert (await post(stage, f"rotations/{RUN}/abort", 404))["reason"] == "NoSuchInstance"
    await post(stage, "rotations", certificate=OLD_ROOT)
    await stage.run(lambda: phase(stage) == "distribute")
    await post(stage, f"rotations/{RUN}/abort")
    await stage.run(lambda: phase(stage) == "withdraw")
    again = await post(stage, f"rotations/{RUN}/abort", 409)
    assert again["reason"] == "NotAbortable"
    await stage.run(RUN)
    ended = await post(stage, f"rotations/{RUN}/resume", 409)
    assert ended["reason"] == "RotationEnded"


async def test_a_rotation_that_retires_the_old_root_cannot_be_aborted(stage: RunningApp) -> None:
    plan = await get(stage, f"{PLAN}?mode=compromise")
    await post(stage, "rotations", certificate=OLD_ROOT, mode="compromise", plan=plan["hash"])
    await stage.run(lambda: phase(stage) == "retire")
    refused = await post(stage, f"rotations/{RUN}/abort", 409)
    assert refused["reason"] == "NotAbortable"


async def test_other_flows_have_no_ear_for_a_rotations_words(stage: RunningApp) -> None:
    stage.world.aks.add("aks-new", tags={"meshward:protect": "true"})
    started = await post(stage, "protections", cluster_id=cluster(stage, "aks-new"))
    assert (await post(stage, f"rotations/{started['instance_id']}/abort", 404))["reason"] == "NoSuchInstance"
    await stage.run(started["instance_id"])


async def test_a_policy_document_that_is_refused_is_told_to_whoever_asks_with_the_path(stage: RunningApp) -> None:
    stage.say(default={"trust": {"settle_within": "PT0S"}})
    refused = await get(stage, PLANS, 400)
    assert refused["reason"] == "BadPolicy"
    assert "$.default.trust.settle_within" in refused["message"]
    stage.say(default={"trust": {"settle_within": "P60D"}})
    (root,) = (await get(stage, PLANS))["rotations"]
    assert root["mode"] == "swift", "a month is too short for a policy that gives two to one phase"


async def test_a_policy_document_that_the_app_itself_can_write_is_obeyed_by_nobody(stage: RunningApp) -> None:
    mine = stage.store / "policy.json"
    stage.policy.unlink()
    mine.write_text('{"default": {"trust": {"settle_within": "P60D"}}}')
    refused = await get(stage, PLANS, 400)
    assert refused["reason"] == "PolicyElsewhere"
    assert str(mine.parent) in refused["message"]
    stage.policy.write_text("{}")
    (root,) = (await get(stage, PLANS))["rotations"]
    assert root["mode"] == "routine", "the document that people write counts, whatever else there is"


async def test_each_member_is_rotated_by_the_policy_of_its_own_cluster(stage: RunningApp) -> None:
    west = {cluster(stage, "aks-west").upper(): {"trust": {"restarts_at_once": 1}}}
    stage.say(default={"trust": {"restarts_at_once": 5}}, clusters=west)
    await post(stage, "rotations", certificate=OLD_ROOT)
    await stage.run(lambda: phase(stage) == "distribute")
    tries = [i.input for i in stage.host.instances() if i.name == "rotate_member"]
    assert {t["cluster"].rpartition("/")[2]: t["policy"]["restarts_at_once"] for t in tries} == {
        "aks-east": 5,
        "aks-west": 1,
    }
