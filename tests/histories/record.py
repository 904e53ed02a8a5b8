"""Records what flows went through, to be replayed by later versions: `python -m tests.histories.record`.

Record anew only for a version that takes a task hub of its own (docs/deploy.md, Upgrades).
"""

import asyncio
from pathlib import Path

from durabletask.internal import orchestrator_service_pb2 as pb

from local import plays
from local.stage import RunningApp
from tests.worlds.app import open_app

FOLDER = Path(__file__).parent
FLOWS = ("rotate_trust_root", "protect_cluster", "verify_restore")


async def main() -> None:
    async with open_app() as stage:
        await plays.all_three(stage, print)
        write(stage)


def write(stage: RunningApp) -> None:
    """One file for each flow: the events of an instance, in turns."""
    for one in stage.host.histories():
        for name in [e.executionStarted.name for e in one.pastEvents if e.HasField("executionStarted")]:
            if name in FLOWS:
                (FOLDER / f"{name}.pb").write_bytes(one.SerializeToString(deterministic=True))


def turns(request: pb.OrchestratorRequest) -> tuple[list[pb.HistoryEvent], list[pb.HistoryEvent]]:
    """The events before the last turn, and those of the last turn."""
    events = [e for e in request.pastEvents if not e.HasField("executionCompleted")]
    last = max(i for i, e in enumerate(events) if e.HasField("orchestratorStarted"))
    return events[:last], events[last:]


if __name__ == "__main__":
    asyncio.run(main())
