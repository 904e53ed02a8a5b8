"""`make run`: publish events to the app on a simulated cloud, show what happens, and report the result.

What is reported as observed is read from the simulated world, never from a flow's own output. The exit status is 0 only
if the world shows that every goal is reached.
"""

import asyncio
import json
import os
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from local.observe import observe, results, shortcomings
from local.plays import SCENARIOS, Scenario
from local.progress import Progress
from local.stage import APP, end_alike_on_term, open_stage
from local.summary import census, report, show

OUT = APP / "out" / "run.json"
INTRODUCTION = """
The simulated cloud has a Linkerd trust domain over two clusters. Three things happen now:
- its root nears expiry: it is rotated
- a new cluster asks for backups: it is protected
- backups of a cluster and of a file share complete: they are restored and verified
Each line has the virtual time since then, the flow, its phase, and what it waits for.
"""
SWEEP_INTERVAL_SECONDS = 600  # the run begins right after a sweep, so that the next comes after the events
SETTLE_TIME = timedelta(minutes=9)  # Linkerd starts, and pods become ready


def main() -> None:
    console, name = Console(), os.environ.get("SCENARIO") or "all"
    if name not in SCENARIOS:
        sys.exit(f"There is no scenario {name}. Choose one of: {', '.join(SCENARIOS)}")
    end_alike_on_term()
    try:
        sys.exit(asyncio.run(played(console, SCENARIOS[name], OUT)))
    except KeyboardInterrupt:
        console.print("Stopped. No process is left running.")
        sys.exit(130)


async def played(console: Console, scenario: Scenario, out: Path) -> int:
    """Run a scenario from start to end, with its result in the file `out`; the exit status."""
    console.print("Starting the simulated cloud and the app …")
    async with open_stage(start=time.time() // SWEEP_INTERVAL_SECONDS * SWEEP_INTERVAL_SECONDS + 1) as stage:
        await stage.clock.advance(SETTLE_TIME)
        before = observe(stage)
        console.print(INTRODUCTION, highlight=False, soft_wrap=True)
        with Progress(console, stage) as progress:
            await scenario.play(stage, progress.say)
        after = observe(stage)
        missing = shortcomings(before, after, scenario.verdicts)
        outcome = report(stage, progress.timings, before, after, ok=not missing)
        _keep(outcome, out)
        counted, verdicts = await census(stage), results(stage.evidence)
    show(console, outcome, counted, verdicts, missing)
    return 1 if missing else 0


def _keep(outcome: dict[str, Any], out: Path) -> None:
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(outcome, indent=2) + "\n")


if __name__ == "__main__":
    main()
