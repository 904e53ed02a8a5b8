"""What the simulated world shows of trust, protection and restores, independent of what the app reports."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from local import scenario
from local.cloud.arm import Resource
from local.cloud.world import World
from local.stage import RunningApp
from shared.domain.restores.refusals import SELFTEST

FEWEST_HANDSHAKES = 1_000
_INSTANCES = "Microsoft.DataProtection/backupVaults/backupInstances"
_JOBS = ("Microsoft.DataProtection/backupVaults/backupJobs", "Microsoft.RecoveryServices/vaults/backupJobs")


@dataclass(frozen=True, kw_only=True)
class Restore:
    """A restore job of the world: the age of its data when it began (RPO) and its duration (RTO), in seconds."""

    job: str
    status: str
    rpo_s: float
    rto_s: float


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What the world shows at a moment."""

    proxies: int  # that are live
    handshakes: int
    failed_handshakes: int
    roots: list[str]  # SHA-256 fingerprints of all roots that live proxies trust
    instances: list[dict[str, str]]  # backup instances: cluster and protection status
    restores: list[Restore]
    verdicts: list[str]  # in the app's evidence
    left_over: int  # isolated copies that weren't removed


def observe(stage: RunningApp) -> Observed:
    """What the world shows now."""
    world = stage.world
    return Observed(
        proxies=len(world.linkerd.proxies(scenario.TRUST_DOMAIN)),
        handshakes=world.linkerd.handshakes,
        failed_handshakes=len(world.linkerd.failed),
        roots=sorted(world.linkerd.roots(scenario.TRUST_DOMAIN)),
        instances=[_instance(one) for one in world.arm.of_type(_INSTANCES)],
        restores=restores(world),
        verdicts=[result["verdict"] for result in results(stage.evidence)],
        left_over=len(left_over(world)),
    )


def shortcomings(before: Observed, after: Observed, verdicts: Sequence[str] = ("Verified", "Verified")) -> list[str]:
    """The goals, with these verdicts, that the world doesn't show as reached; empty if all are."""
    protected = {one["cluster"]: one["protection_status"] for one in after.instances}
    goals = {
        f"{FEWEST_HANDSHAKES} handshakes or more": after.handshakes - before.handshakes >= FEWEST_HANDSHAKES,
        "no failed handshake": after.failed_handshakes == 0,
        "one new root, the old one gone": len(after.roots) == 1 and not set(after.roots) & set(before.roots),
        f"{scenario.NEW_CLUSTER} protected": protected.get(scenario.NEW_CLUSTER) == "ProtectionConfigured",
        "two restores completed": [one.status for one in after.restores] == ["Completed", "Completed"],
        f"verdicts {' and '.join(verdicts)}": sorted(after.verdicts) == sorted(verdicts),
        "nothing left over": after.left_over == 0,
    }
    return [goal for goal, reached in goals.items() if not reached]


def restores(world: World) -> list[Restore]:
    """Every restore job of both kinds of vault."""
    jobs = [job for kind in _JOBS for job in world.arm.of_type(kind)]
    return [_restore(job, jobs) for job in jobs if _operation(job) == "restore"]


def results(evidence: Path) -> list[dict[str, Any]]:
    """The verdicts that stand in the app's evidence, with their checks."""
    return [json.loads(file.read_text()) for file in sorted(evidence.glob("verdicts/*.json"))]


def left_over(world: World) -> list[str]:
    """Namespaces and shares that a verification made and didn't remove; the self-test's namespace is made by people."""
    namespaces = [
        f"{name}/{namespace['metadata']['name']}"
        for name, cluster in world.kubernetes.clusters.items()
        for namespace in cluster.objects("Namespace")
        if namespace["metadata"]["name"].startswith("verify-") and namespace["metadata"]["name"] != SELFTEST
    ]
    shares = world.file_shares.shares(scenario.STORAGE_ACCOUNT)
    return namespaces + [share for share in shares if share != scenario.SHARE]


def _instance(resource: Resource) -> dict[str, str]:
    properties = resource["properties"]
    return {
        "cluster": properties["dataSourceInfo"]["resourceName"],
        "protection_status": properties["currentProtectionState"],
    }


def _restore(job: Resource, jobs: list[Resource]) -> Restore:
    began, ended = _times(job)
    vault = job["id"].lower().rpartition("/backupjobs/")[0]
    copies = [other for other in jobs if _operation(other) == "backup" and other["id"].lower().startswith(vault)]
    points = [_times(copy)[1] for copy in copies if _times(copy)[1] <= began]
    return Restore(job=job["name"], status=job["properties"]["status"], rpo_s=began - max(points), rto_s=ended - began)


def _operation(job: dict[str, Any]) -> str:
    return str(job["properties"]["operation"]).lower()


def _times(job: dict[str, Any]) -> tuple[float, float]:
    began, ended = (job["properties"].get(name) for name in ("startTime", "endTime"))
    return tuple(datetime.fromisoformat(when).timestamp() if when else float("inf") for when in (began, ended))  # type: ignore[return-value]
