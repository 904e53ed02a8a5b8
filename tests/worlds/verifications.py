"""Backups of a cluster and of a share, and what their verifications find and leave."""

import json
from datetime import timedelta
from typing import Any

from local import scenario
from local.cloud.arm import Resource
from local.cloud.resources.file_shares import DATA_ROLES
from local.cloud.world import World
from local.host.durable import OrchestrationState
from local.stage import RunningApp
from tests.worlds.store import misplaced
from tests.worlds.times import HOUR

CLUSTER, ACCOUNT, SHARE = "aks-east", scenario.STORAGE_ACCOUNT, scenario.SHARE
SOON = timedelta(hours=16)
EVENT = "Meshward.Backup.Completed"


def seed(world: World) -> None:
    """A meshed cluster and a share, both protected."""
    scenario.seed_trust(world, 1)
    world.backup_vaults.protect(CLUSTER)
    scenario.seed_share(world)


async def prepare(stage: RunningApp) -> None:
    """Let the verifier read the share, and wait: what is to be backed up has to be older than the backup."""
    account = stage.world.file_shares.account(ACCOUNT)["id"]
    stage.world.roles.grant(stage.caller("verifier").object_id, DATA_ROLES[0], account)
    await stage.clock.advance(HOUR)  # what is to be backed up is older than the backup


def back_up(stage: RunningApp, kind: str = "cluster", *, status: str = "Completed") -> Resource:
    """The job of a backup that has ended with this status."""
    if kind == "share":
        return stage.world.recovery_vaults.complete_backup(ACCOUNT, SHARE, status=status)
    return stage.world.backup_vaults.complete_backup(CLUSTER, status=status)


def runs(stage: RunningApp) -> list[OrchestrationState]:
    """The verifications."""
    return [i for i in stage.host.instances() if i.id.startswith("verify-")]


async def verdict(stage: RunningApp, job: Resource) -> dict[str, Any]:
    """The verdict on a backup job, as the one run returned it and the evidence keeps it."""
    id = f"verify-{job['name']}"
    await stage.run(id, SOON)
    (run,) = [i for i in runs(stage) if i.id == id]
    assert run.status == "Completed", run.failure
    result: dict[str, Any] = run.output
    assert json.loads((stage.evidence / f"verdicts/{job['name']}.json").read_bytes()) == result
    assert misplaced(stage) == []
    assert result["left_over"] == 0
    assert isolated(stage) == []
    return result


def isolated(stage: RunningApp) -> list[str]:
    """Isolated namespaces and scratch shares that exist."""
    namespaces = [n for cluster in stage.world.kubernetes.clusters.values() for n in cluster.objects("Namespace")]
    names = [n["metadata"]["name"] for n in namespaces] + stage.world.file_shares.shares(ACCOUNT)
    return [name for name in names if name.startswith("verify-")]


def restores(stage: RunningApp) -> list[Resource]:
    """All restore jobs."""
    types = ("Microsoft.DataProtection/backupVaults/backupJobs", "Microsoft.RecoveryServices/vaults/backupJobs")
    jobs = [job for type in types for job in stage.world.arm.of_type(type)]
    return [job for job in jobs if job["properties"]["operation"] == "Restore"]


def checks(result: dict[str, Any]) -> dict[str, bool]:
    """Which checks of a verdict have passed, by name."""
    return {check["name"]: check["passed"] for check in result["checks"]}


def sent(stage: RunningApp) -> list[dict[str, Any]]:
    """The events that the app has sent to its own topic."""
    posts = [e for e in stage.world.wire.exchanges if e.method == "POST" and f"/topics/{scenario.TOPIC}/" in e.url]
    return [event for post in posts for event in json.loads(post.request)]


def announce(stage: RunningApp, job_id: Any, status: Any = "Completed", **overrides: Any) -> None:
    """The event as the watch publishes it."""
    event = {
        "specversion": "1.0",
        "id": f"{str(job_id).rsplit('/', 1)[-1]}:{status}",
        "type": EVENT,
        "source": "/vault",
        "subject": str(job_id),
        "time": stage.clock.now().isoformat(),
        "data": {"jobId": job_id, "status": status},
    }
    stage.world.event_grid.publish(scenario.TOPIC, {**event, **overrides})


def verify(stage: RunningApp, **knobs: Any) -> None:
    """Let the policy document say this about verifications."""
    stage.policy.write_text(json.dumps({"default": {"verify": knobs}}))
