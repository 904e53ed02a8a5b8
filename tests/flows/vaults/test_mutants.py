"""Protections and releases that leave one of their safeguards out: the simulated Azure shows what each of them is for.

With the real app, each of these worlds ends as its neighbour test in test_protection, test_upkeep, test_releases,
test_creations or test_unknown says.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from local.cloud.arm import Resource
from local.stage import RunningApp
from tests.worlds.app import NO_WATCH, call, open_app
from tests.worlds.mutants import Mutant
from tests.worlds.protections import (
    CLUSTER,
    INSTANCES,
    VAULTS,
    asked,
    cluster_of,
    finished,
    of,
    one,
    protect,
    runs,
    seed,
    write_policy,
    writes,
)
from tests.worlds.releases import left_behind, releases
from tests.worlds.times import DAY


def with_less(real: Any, request: Any, vaults: Any) -> Any:
    terms = msgspec.structs.replace(request.protection.terms, redundancy_fallback="LocallyRedundant")
    protection = msgspec.structs.replace(request.protection, terms=terms)
    return real(msgspec.structs.replace(request, protection=protection), vaults)


def none(real: Any, *_: Any) -> list[str]:
    return []


def loosened(real: Any, requirements: Any, vault: Any) -> Any:
    return msgspec.structs.replace(real(requirements, vault), soft_delete=requirements.terms.soft_delete)


def always(real: Any, *_: Any) -> bool:
    return True


def without_grants(real: Any, protection: Any, seen: Any) -> Any:
    return real(protection, msgspec.structs.replace(seen, granted=()))


def at_once(real: Any, protection: Any, found: Any, gone_at: Any) -> Any:
    return msgspec.structs.replace(real(protection, found, gone_at), kept_until=gone_at)


def nothing(real: Any, *_: Any) -> None:
    return None


def at_each_look(real: Any, vault: Any, what: Any, request: Any, **_: Any) -> Any:
    return request()


def whatever_was_seen(real: Any, protection: Any, gone: Any, *_: Any) -> Any:
    return gone.since


NOBODY_ASKED = Mutant("functions.vaults.steps.create", with_less)
NO_LOOK_AT_REDUNDANCY = Mutant("shared.domain.vaults.strength.flaws", none)
NO_MAX = Mutant("shared.domain.vaults.strength.at_least", loosened)
NO_LOOK_AT_HOLDERS = Mutant("shared.domain.vaults.findings._is_own", always)
NO_LOOK_AT_GRANTS = Mutant("shared.domain.vaults.plan.plan_of", without_grants)
NO_TIME = Mutant("shared.domain.vaults.release.release_of", at_once)
NO_LOOK_AT_WORDS = Mutant("shared.domain.vaults.strength.unknown_settings", none)
NO_LOOK_AT_STATES = Mutant("shared.domain.vaults.release.may_delete", always)
NO_WAITING = Mutant("shared.domain.vaults.release.require_empty", nothing)
NO_INCARNATIONS = Mutant("shared.domain.incarnation._agree", nothing)
NO_MEMORY = Mutant("functions.engine.asking.ask", at_each_look)
NO_LOOK_AT_CHANGES = Mutant("shared.domain.vaults.findings.FoundInstance.movable", always)
NO_PROOF = Mutant("shared.domain.vaults.release._made_again", always)
NO_SECOND_LOOK = Mutant("shared.domain.vaults.release.require_confirmed", whatever_was_seen)


@asynccontextmanager
async def grown(mutant: Mutant, folder: Path, *others: Mutant) -> AsyncIterator[RunningApp]:
    async with open_app(seed=seed, settings=NO_WATCH, app=mutant.grow(folder, *others)) as stage:
        yield stage


async def test_without_asking_the_policy_document_a_vault_is_made_with_less_redundancy(tmp_path: Path) -> None:
    async with grown(NOBODY_ASKED, tmp_path) as stage:
        stage.world.backup_vaults.unsupported_redundancy.add("GeoRedundant")
        stage.world.aks.announce(cluster_of(stage))
        await finished(stage)
        assert one(stage, VAULTS)["properties"]["storageSettings"][0]["type"] == "LocallyRedundant"


async def test_without_a_look_at_its_redundancy_a_vault_that_is_too_weak_is_used(tmp_path: Path) -> None:
    async with grown(NO_LOOK_AT_REDUNDANCY, tmp_path) as stage:
        stage.world.aks.announce(cluster_of(stage))
        await stage.run(lambda: bool(of(stage.world, VAULTS)))
        one(stage, VAULTS)["properties"]["storageSettings"][0]["type"] = "LocallyRedundant"
        assert (await finished(stage)).status == "Completed"


async def test_without_max_what_somebody_hardened_further_is_loosened(tmp_path: Path) -> None:
    async with grown(NO_MAX, tmp_path) as stage:
        await protect(stage)
        soft_delete = one(stage, VAULTS)["properties"]["securitySettings"]["softDeleteSettings"]
        soft_delete["state"] = "AlwaysOn"
        await stage.clock.advance(DAY)
        sent = [e for e in asked(stage) if e.method == "PATCH" and "/backupVaults/" in e.url]
        assert b'"state":"On"' in sent[-1].request.replace(b" ", b"")


async def test_without_a_look_at_who_holds_it_a_cluster_of_another_vault_is_written_to(tmp_path: Path) -> None:
    async with grown(NO_LOOK_AT_HOLDERS, tmp_path) as stage:
        stage.world.backup_vaults.protect(CLUSTER, vault="bv-theirs")
        stage.world.arm.remove(one(stage, "Microsoft.KubernetesConfiguration/extensions")["id"])  # it would be refused
        stage.world.aks.announce(cluster_of(stage))
        await finished(stage)
        assert writes(stage.world)


async def test_without_a_look_at_what_is_granted_each_days_run_writes(tmp_path: Path) -> None:
    async with grown(NO_LOOK_AT_GRANTS, tmp_path) as stage:
        await protect(stage)
        written = len(writes(stage.world))
        await stage.clock.advance(DAY)
        assert len(writes(stage.world)) > written


async def test_without_its_time_a_vault_is_taken_apart_on_the_first_day(tmp_path: Path) -> None:
    async with grown(NO_TIME, tmp_path) as stage:
        await left_behind(stage)
        await stage.clock.advance(2 * DAY)
        assert of(stage.world, INSTANCES) == []


async def test_without_waiting_for_what_is_soft_deleted_its_vault_and_snapshots_are_deleted(tmp_path: Path) -> None:
    async with grown(NO_WAITING, tmp_path) as stage:
        write_policy(stage, release_after="P9D")
        await left_behind(stage)
        await stage.clock.advance(11 * DAY)
        assert any(
            e.method == "DELETE" and "/backupVaults/" in e.url and "/backupInstances/" not in e.url
            for e in asked(stage)
        )


async def test_without_a_look_at_its_words_a_vault_whose_redundancy_nobody_knows_is_used(tmp_path: Path) -> None:
    async with grown(NO_LOOK_AT_WORDS, tmp_path) as stage:
        await protect(stage)
        one(stage, VAULTS)["properties"]["storageSettings"][0]["type"] = "MoonRedundant"
        await stage.clock.advance(DAY)
        assert (await finished(stage, suffix=f"{stage.clock.now():%Y%m%d}")).status == "Completed"


async def test_without_a_look_at_its_state_a_vault_is_deleted_whatever_azure_says_of_it(tmp_path: Path) -> None:
    async with grown(NO_LOOK_AT_STATES, tmp_path) as stage:
        write_policy(stage, release_after="P9D")
        vault = await left_behind(stage)
        vault["properties"]["provisioningState"] = "Dreaming"
        await stage.clock.advance(26 * DAY)
        deleted = [e.url.partition("?")[0] for e in asked(stage) if e.method == "DELETE"]
        assert any(url.endswith(vault["name"]) for url in deleted)


async def test_without_incarnations_a_cluster_created_again_gets_the_vault_of_the_first(tmp_path: Path) -> None:
    async with grown(NO_INCARNATIONS, tmp_path) as stage:
        first = await left_behind(stage)
        stage.world.aks.announce(stage.world.aks.add(CLUSTER, tags={"meshward:protect": "true"}))
        await stage.clock.advance(DAY)
        assert {vault["id"] for vault in of(stage.world, VAULTS)} == {first["id"]}
        assert runs(stage)[-1].output["vault_id"].lower() == first["id"].lower()


async def test_without_memory_a_change_of_policy_is_asked_for_at_each_look(tmp_path: Path) -> None:
    async with grown(NO_MEMORY, tmp_path, NO_LOOK_AT_CHANGES) as stage:
        stage.world.backup_vaults.instances.update_seconds = 400.0
        await protect(stage)
        write_policy(stage, backup_every="PT4H", keep="P30D")
        before = instance_puts(stage)
        await stage.clock.advance(DAY)
        assert instance_puts(stage) - before > 1


async def test_without_memory_an_instance_that_can_t_be_read_yet_is_asked_for_at_each_look(tmp_path: Path) -> None:
    async with grown(NO_MEMORY, tmp_path) as stage:
        stage.world.backup_vaults.instances.create_seconds = 400.0
        await protect(stage)
        assert instance_puts(stage) > 1


def instance_puts(stage: RunningApp) -> int:
    return sum(line.startswith("PUT ") and "/backupInstances/" in line for line in writes(stage.world))


async def test_without_proof_the_backups_of_a_cluster_whose_identity_was_replaced_are_deleted(tmp_path: Path) -> None:
    async with grown(NO_PROOF, tmp_path) as stage:
        cluster = await with_another_identity(stage)
        await stage.clock.advance(2 * DAY)
        _, shown = await call(stage, "GET", f"plans/releases?cluster_id={cluster['id']}")
        request = {"cluster_id": cluster["id"], "plan": shown["releases"][0]["plan"]}
        await call(stage, "POST", "releases", request)
        await stage.clock.advance(DAY)
        assert of(stage.world, INSTANCES) == []


async def test_without_a_second_look_one_404_is_enough_after_another_identity_was_seen(tmp_path: Path) -> None:
    async with grown(NO_SECOND_LOOK, tmp_path) as stage:
        write_policy(stage, release_after="P9D")
        cluster = await with_another_identity(stage)
        await stage.clock.advance(15 * DAY)
        stage.world.arm.remove(cluster["id"])
        await stage.host.invoke_timer("cluster_sweep")
        assert releases(stage)


async def with_another_identity(stage: RunningApp) -> Resource:
    """The cluster, once it is protected and has another identity; Azure tells no resourceUID of it."""
    cluster = cluster_of(stage)
    del cluster["properties"]["resourceUID"]
    await protect(stage)
    cluster["identity"] = stage.world.arm.system_identity(CLUSTER)
    return cluster
