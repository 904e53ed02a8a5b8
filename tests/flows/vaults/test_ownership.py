"""Nobody gets another cluster's vault, snapshots or identity by having made them first, or by having their names."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from local import scenario
from local.cloud.arm import SUBSCRIPTION, Resource
from local.host.durable import OrchestrationState
from local.scenario import TRUST_DOMAIN
from local.stage import RunningApp
from shared.domain.vaults.ownership import OWNERSHIP, Ownership
from shared.domain.vaults.protection import CLUSTER_TAG, MARK_TAG
from tests.worlds.app import NO_WATCH, call, open_app
from tests.worlds.bindings import FEDERATIONS, bound, entries
from tests.worlds.bindings import seed as seed_meshed
from tests.worlds.mutants import Mutant
from tests.worlds.protections import (
    CLUSTER,
    VAULTS,
    cluster_of,
    of,
    one,
    protect,
    runs,
    seed,
    stops_with,
    swept,
    writes,
)

SHADOW = "aks-_-new"
CLUSTERS = "Microsoft.ContainerService/managedClusters"
ROLES = "Microsoft.Authorization/roleAssignments"


def alike(real: Any, cluster: Any, key: Any) -> str:
    """What the digits come to if somebody has tried names of clusters for long enough."""
    return "aks-new-73843299"


ALIKE = Mutant("shared.domain.vaults.protection.label_of", alike)


@pytest.fixture
async def stage() -> AsyncIterator[RunningApp]:
    async with open_app(seed=seed, settings=NO_WATCH) as stage:
        yield stage


def snapshots(stage: RunningApp) -> Resource:
    groups = [
        id for id in stage.world.arm.resources if "/resourcegroups/rg-snapshots-" in id and "/providers/" not in id
    ]
    return stage.world.arm.resources[groups[0]]


def roles_of(stage: RunningApp, cluster: Resource) -> list[str]:
    """The scopes at which the cluster's identity has roles."""
    principal = cluster["identity"]["principalId"]
    held = [role for role in of(stage.world, ROLES) if role["properties"]["principalId"] == principal]
    return [role["id"].partition("/providers/Microsoft.Authorization")[0] for role in held]


async def shadowed(stage: RunningApp, **tags: str) -> tuple[Resource, OrchestrationState]:
    """A stranger's cluster asks for protection, whose names come out as those of the one that is protected."""
    cluster = stage.world.aks.add(SHADOW, group="rg-strangers", tags={"meshward:protect": "true", **tags})
    before, known = writes(stage.world), [run.id for run in runs(stage)]
    stage.world.aks.announce(cluster)
    await stage.run(lambda: len([run for run in runs(stage) if run.ended]) == 2)
    (run,) = [run for run in runs(stage) if run.id not in known]
    assert writes(stage.world) == before, "nothing is changed for it"
    return cluster, run


async def test_a_cluster_whose_names_are_another_s_gets_nothing_of_it(tmp_path: Path) -> None:
    async with open_app(seed=seed, settings=NO_WATCH, app=ALIKE.grow(tmp_path)) as stage:
        await protect(stage)
        cluster, run = await shadowed(stage)
        assert (run.status, "VaultNotOurs" in (run.failure or "")) == ("Failed", True)
        assert roles_of(stage, cluster) == []
        assert one(stage, VAULTS)["tags"][CLUSTER_TAG] == f"rg-clusters/{CLUSTER}"


def of_none(real: Any, protection: Any, *_: Any, **__: Any) -> None:
    """Nobody asks whose the names are."""


async def test_if_names_were_enough_it_would_get_the_other_s_snapshots(tmp_path: Path) -> None:
    blind = [
        Mutant(f"shared.domain.vaults.ownership.{name}", of_none) for name in ("require_own_names", "require_own_vault")
    ]
    async with open_app(seed=seed, settings=NO_WATCH, app=ALIKE.grow(tmp_path, *blind)) as stage:
        await protect(stage)
        cluster = stage.world.aks.add(SHADOW, group="rg-strangers", tags={"meshward:protect": "true"})
        stage.world.aks.announce(cluster)
        await stage.run(lambda: bool(roles_of(stage, cluster)))
        assert roles_of(stage, cluster)[0].lower() == snapshots(stage)["id"].lower()


async def test_of_two_clusters_that_come_at_once_one_has_the_names_and_the_other_nothing(tmp_path: Path) -> None:
    async with open_app(seed=seed, settings=NO_WATCH, app=ALIKE.grow(tmp_path)) as stage:
        stage.world.aks.add(SHADOW, group="rg-strangers", tags={"meshward:protect": "true"})
        clusters = of(stage.world, CLUSTERS)
        for cluster in clusters:
            stage.world.aks.announce(cluster)
        await stage.run(lambda: len([run for run in runs(stage) if run.ended]) == 2)
        assert sorted(run.status for run in runs(stage)) == ["Completed", "Failed"]
        assert [bool(roles_of(stage, cluster)) for cluster in clusters].count(False) == 1


async def test_the_identity_of_backup_workloads_takes_no_tokens_of_a_cluster_of_the_same_names(tmp_path: Path) -> None:
    async with open_app(seed=seed_meshed, settings=NO_WATCH, app=ALIKE.grow(tmp_path)) as stage:
        await bound(stage)
        before = (one(stage, FEDERATIONS)["properties"], entries(stage))
        meshed = {"meshward:mesh": "linkerd", "meshward:trust-domain": TRUST_DOMAIN}
        own = scenario.policy()["trust_domains"][TRUST_DOMAIN]["members"]
        strangers = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-strangers"
        stage.say(trust_domains={TRUST_DOMAIN: {"members": [*own, strangers]}})
        _, run = await shadowed(stage, **meshed)
        assert "VaultNotOurs" in (run.failure or "")
        assert (one(stage, FEDERATIONS)["properties"], entries(stage)) == before


async def test_a_snapshot_group_that_somebody_made_beforehand_gets_no_snapshot_and_no_role(stage: RunningApp) -> None:
    _, shown = await call(stage, "GET", f"plans/protections?cluster_id={cluster_of(stage)['id']}")
    (vault,) = [c["what"] for c in shown["changes"] if c["what"].startswith("Backup vault bv-")]
    stage.world.resource_groups.add(f"rg-snapshots-{vault.removeprefix('Backup vault bv-')}")
    await stops_with(stage, "GroupNotOurs")
    assert writes(stage.world) == []


async def test_one_that_is_made_just_before_meshward_s_lacks_the_mark(stage: RunningApp) -> None:
    def first(function: str, moment: str) -> None:
        if (function, moment) == ("ensure_group", "before"):
            (path,) = stage.store.glob("vaults/bv-*.json")
            label = path.stem.removeprefix("bv-")
            stage.world.resource_groups.add(f"rg-snapshots-{label}")

    stage.host.on_invocation(first)
    await stops_with(stage, "GroupNotOurs")
    assert of(stage.world, ROLES) == []


async def test_the_snapshot_group_bears_a_mark_that_nobody_could_know(stage: RunningApp) -> None:
    await protect(stage)
    (path,) = stage.store.glob("vaults/bv-*.json")
    owner = msgspec.json.decode(path.read_bytes(), type=Ownership)
    assert snapshots(stage)["tags"][MARK_TAG] == owner.mark
    assert len(owner.mark) == 64
    assert (await swept(stage))["changes"] == []


async def test_what_an_earlier_version_has_made_stays_its_cluster_s(stage: RunningApp) -> None:
    await protect(stage)
    (path,) = stage.store.glob("vaults/bv-*.json")
    path.unlink()
    del snapshots(stage)["tags"][MARK_TAG]
    assert (await swept(stage))["changes"] == []
    assert msgspec.json.decode(path.read_bytes(), type=Ownership).mark == ""
    assert OWNERSHIP.path(vault=path.stem) == f"vaults/{path.name}"
