"""`make run`: publish events to the app on a simulated cloud, show what happens, and say what came of it.

What is reported as observed is read from the simulated world, never from what a flow says of itself. The exit status is
0 only if the world shows that every goal is reached.
"""

import asyncio
import json
import os
import sys
import time
from datetime import timedelta

from rich.console import Console

from local.observe import observe, results, shortcomings
from local.plays import SCENARIOS, Scenario
from local.progress import Progress
from local.stage import APP, end_alike_on_term, open_stage
from local.summary import census, report, show

OUT = APP / "out" / "run.json"
SWEEPS = 600  # seconds apart: begun right after one, the next one doesn't come before the events
SETTLES = timedelta(minutes=9)


def main() -> None:
    console, name = Console(), os.environ.get("SCENARIO") or "all"
    if name not in SCENARIOS:
        sys.exit(f"there is no scenario {name}; there are {', '.join(SCENARIOS)}")
    end_alike_on_term()
    try:
        sys.exit(asyncio.run(played(console, SCENARIOS[name])))
    except KeyboardInterrupt:
        console.print("stopped; nothing is left running")
        sys.exit(130)


async def played(console: Console, scenario: Scenario) -> int:
    """Run a scenario from start to end; the exit status."""
    console.print("Starting the simulated cloud and the app …")
    async with open_stage(start=time.time() // SWEEPS * SWEEPS + 1) as stage:
        await stage.clock.advance(SETTLES)
        before = observe(stage)
        with Progress(console, stage) as progress:
            await scenario.play(stage, progress.say)
        after = observe(stage)
        missing = shortcomings(before, after, scenario.verdicts)
        outcome = report(stage, progress.timings, before, after, ok=not missing)
        OUT.parent.mkdir(exist_ok=True)
        OUT.write_text(json.dumps(outcome, indent=2) + "\n")
        counted, verdicts = await census(stage), results(stage.store)
    show(console, outcome, counted, verdicts, missing)
    return 1 if missing else 0


if __name__ == "__main__":
    main()
