"""`make serve`: the world of `make run` keeps running, with addresses to try."""

import asyncio
import contextlib
from datetime import timedelta

from rich.console import Console

from local import scenario
from local.plays import publish
from local.progress import Progress
from local.stage import RunningApp, end_alike_on_term, open_stage

SPEED = 60.0  # a virtual minute each second: a day of rotation in about twenty minutes


async def serve(console: Console) -> None:
    """Keep the world running until Ctrl-C, and show what happens."""
    async with open_stage() as stage:
        await stage.clock.advance(timedelta(minutes=10))  # Linkerd comes up
        console.print(directions(stage), highlight=False, soft_wrap=True)
        with Progress(console, stage):
            publish(stage)
            await stage.clock.flow(SPEED)


def directions(stage: RunningApp) -> str:
    """Commands to try, with real addresses and a token that is valid for a day of virtual time."""
    cluster = next(c for c in stage.world.arm.resources.values() if c["name"] == scenario.NEW_CLUSTER)
    return f"""
The app runs at {stage.host.url}, the simulated cloud at {stage.world.wire.url}.
Time runs {SPEED:.0f} times as fast as real time. Try these in another shell:

  TOKEN={stage.token()}

  curl {stage.host.url}/api/instances/protect-none -H "Authorization: Bearer $TOKEN"
  curl {stage.host.url}/api/rotations -H "Authorization: Bearer $TOKEN" -d '{{"certificate": "{scenario.OLD_ROOT}"}}'
  curl {stage.host.url}/api/protections -H "Authorization: Bearer $TOKEN" -d '{{"cluster_id": "{cluster["id"]}"}}'

Three events are published now: a root nears expiry, a cluster is created, backups complete. Ctrl-C ends everything.
"""


def main() -> None:
    end_alike_on_term()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(Console()))


if __name__ == "__main__":
    main()
