"""`make run`: publish the three events to the app on a simulated cloud, show what happens, and say what came of it.

What is reported as observed is read from the simulated world, never from what a flow says of itself. The exit status is
0 only if the world shows that every goal is reached.
"""

import asyncio
import json
import sys
from datetime import timedelta

from rich.console import Console

from local.cloud import scenario
from local.observe import observe, shortcomings
from local.progress import Progress
from local.stage import APP, Stage, open_stage
from local.summary import report, show

OUT = APP / "out" / "run.json"
LIMIT = timedelta(days=7)


def main() -> None:
    console = Console()
    try:
        sys.exit(asyncio.run(played(console)))
    except KeyboardInterrupt:
        console.print("stopped; nothing is left running")
        sys.exit(130)


async def played(console: Console) -> int:
    """Run the scenario from start to end; the exit status."""
    console.print("Starting the simulated cloud and the app …")
    async with open_stage() as stage:
        await stage.clock.advance(timedelta(minutes=10))
        before = observe(stage)
        with Progress(console, stage) as progress:
            await play(stage)
        after = observe(stage)
        missing = shortcomings(before, after)
        outcome = report(stage, progress.timings, before, after, ok=not missing)
        OUT.parent.mkdir(exist_ok=True)
        OUT.write_text(json.dumps(outcome, indent=2) + "\n")
    show(console, outcome, missing)
    return 1 if missing else 0


async def play(stage: Stage) -> None:
    """Publish the events and wait until every flow has ended."""
    publish(stage)
    await stage.run(lambda: len(stage.host.instances()) == 4 and all(i.ended for i in stage.host.instances()), LIMIT)


def publish(stage: Stage) -> None:
    """A root nears its expiry, a cluster is created, and two backups complete."""
    world = stage.world
    world.key_vaults.vaults[scenario.KEY_VAULT].announce_near_expiry(scenario.OLD_ROOT)
    world.aks.announce(next(c for c in world.arm.resources.values() if c["name"] == scenario.NEW_CLUSTER))
    world.backup_vaults.complete_backup(scenario.BACKED_UP_CLUSTER, seconds=600)
    world.recovery_vaults.complete_backup(scenario.STORAGE_ACCOUNT, scenario.SHARE, seconds=600)


if __name__ == "__main__":
    main()
