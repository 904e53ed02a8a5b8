"""Protections and releases that leave one of their safeguards out: the simulated Azure shows what each of them is for.

A mutant is the app with one piece of its text replaced. With the real app, each of these worlds ends as its neighbour
test in test_vaults, test_vault_upkeep or test_releases says.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from local.stage import Stage
from tests.flows.trust.test_mutants import Mutant
from tests.worlds.app import NO_WATCH, open_app
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
    seed,
    write_policy,
    writes,
)
from tests.worlds.releases import left_behind
from tests.worlds.times import DAY


@asynccontextmanager
async def grown(mutant: Mutant, folder: Path) -> AsyncIterator[Stage]:
    async with open_app(seed=seed, settings=NO_WATCH, app=mutant.grow(folder)) as stage:
        yield stage


async def test_without_asking_the_policy_document_a_vault_is_made_with_less_redundancy(tmp_path: Path) -> None:
    mutant = Mutant(
        "functions/vaults/steps.py",
        "        if terms.redundancy_fallback is None or not names_redundancy(error.reason):\n            raise\n",
        '        terms = msgspec.structs.replace(terms, redundancy_fallback="LocallyRedundant")\n',
    )
    async with grown(mutant, tmp_path) as stage:
        stage.world.backup_vaults.unsupported_redundancy.add("GeoRedundant")
        stage.world.aks.announce(cluster_of(stage))
        await finished(stage)
        assert one(stage, VAULTS)["properties"]["storageSettings"][0]["type"] == "LocallyRedundant"


async def test_without_a_look_at_its_redundancy_a_vault_that_is_too_weak_is_used(tmp_path: Path) -> None:
    mutant = Mutant("shared/domain/vaults/findings.py", "    weak = flaws(bar, vault)\n", "    weak: list[str] = []\n")
    async with grown(mutant, tmp_path) as stage:
        stage.world.aks.announce(cluster_of(stage))
        await stage.run(lambda: bool(of(stage.world, VAULTS)))
        one(stage, VAULTS)["properties"]["storageSettings"][0]["type"] = "LocallyRedundant"
        assert (await finished(stage)).status == "Completed"


async def test_without_max_what_somebody_hardened_further_is_loosened(tmp_path: Path) -> None:
    stronger = "soft_delete=max(terms.soft_delete, vault.soft_delete, key=partial(_rank, _SOFT_DELETE)),"
    mutant = Mutant("shared/domain/vaults/findings.py", stronger, "soft_delete=terms.soft_delete,")
    async with grown(mutant, tmp_path) as stage:
        await protect(stage)
        soft_delete = one(stage, VAULTS)["properties"]["securitySettings"]["softDeleteSettings"]
        soft_delete["state"] = "AlwaysOn"
        await stage.clock.advance(DAY)
        sent = [e for e in asked(stage) if e.method == "PATCH" and "/backupVaults/" in e.url]
        assert b'"state":"On"' in sent[-1].request.replace(b" ", b"")


async def test_without_a_look_at_who_holds_it_a_cluster_of_another_vault_is_written_to(tmp_path: Path) -> None:
    mutant = Mutant("shared/domain/vaults/findings.py", "    if others:\n", "    if False:\n")
    async with grown(mutant, tmp_path) as stage:
        stage.world.backup_vaults.protect(CLUSTER, vault="bv-theirs")
        stage.world.arm.remove(one(stage, "Microsoft.KubernetesConfiguration/extensions")["id"])  # it would be refused
        stage.world.aks.announce(cluster_of(stage))
        await finished(stage)
        assert writes(stage.world)


async def test_without_a_look_at_what_is_granted_each_days_run_writes(tmp_path: Path) -> None:
    mutant = Mutant("functions/vaults/planning.py", "granted=tuple(g.name for g in granted)", "granted=()")
    async with grown(mutant, tmp_path) as stage:
        await protect(stage)
        written = len(writes(stage.world))
        await stage.clock.advance(DAY)
        assert len(writes(stage.world)) > written


async def test_without_its_time_a_vault_is_taken_apart_on_the_first_day(tmp_path: Path) -> None:
    mutant = Mutant("functions/vaults/releases.py", " and services().now() >= release.kept_until:", ":")
    async with grown(mutant, tmp_path) as stage:
        await left_behind(stage)
        await stage.clock.advance(2 * DAY)
        assert of(stage.world, INSTANCES) == []


async def test_without_waiting_for_what_is_soft_deleted_its_vault_and_snapshots_are_deleted(tmp_path: Path) -> None:
    mutant = Mutant("functions/vaults/releases.py", "    check_empty(wanted, remains)\n", "")
    async with grown(mutant, tmp_path) as stage:
        write_policy(stage, release_after="P9D")
        await left_behind(stage)
        await stage.clock.advance(11 * DAY)
        assert any(
            e.method == "DELETE" and "/backupVaults/" in e.url and "/backupInstances/" not in e.url
            for e in asked(stage)
        )
