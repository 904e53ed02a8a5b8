"""Timers that start flows whose event was lost. Each reads the real state and starts the same flow as the event."""

import azure.durable_functions as df
import azure.functions as func

from functions.engine.client import Client, with_client
from functions.restores import watch
from functions.restores.janitor import clear
from functions.trust import rotation
from functions.trust.linkerd import issuers
from functions.vaults import census, protection, releases

app = df.Blueprint()


@app.timer_trigger(arg_name="timer", schedule="0 */10 * * * *")
@with_client(app)
async def expiry_sweep(timer: func.TimerRequest, client: Client) -> None:  # noqa: ARG001
    """Every ten minutes, often enough for a root of an hour: rotate every trust root that is due."""
    await rotation.sweep(client)


@app.timer_trigger(arg_name="timer", schedule="0 20 * * * *")
@with_client(app)
async def issuer_sweep(timer: func.TimerRequest, client: Client) -> None:  # noqa: ARG001
    """Hourly: renew every issuer that has lived half of its life."""
    await issuers.sweep(client)


@app.timer_trigger(arg_name="timer", schedule="0 30 5 * * *")
@with_client(app)
async def cluster_sweep(timer: func.TimerRequest, client: Client) -> None:  # noqa: ARG001
    """Daily: protect the clusters that ask for it, look after protected ones, release vaults of those that are gone."""
    await protection.sweep(client)
    await releases.sweep(client)


@app.timer_trigger(arg_name="timer", schedule="0 */5 * * * *")
async def backup_watch(timer: func.TimerRequest) -> None:  # noqa: ARG001
    """Every five minutes: publish an event for each backup job that has ended."""
    await watch.watch()


@app.timer_trigger(arg_name="timer", schedule="0 0 6-9 * * *")
@with_client(app)
async def daily_census(timer: func.TimerRequest, client: Client) -> None:  # noqa: ARG001
    """Daily, with some more attempts where the first fails: count which clusters are protected."""
    await census.take(client)


@app.timer_trigger(arg_name="timer", schedule="0 40 * * * *")
@with_client(app)
async def janitor(timer: func.TimerRequest, client: Client) -> None:  # noqa: ARG001
    """Hourly: remove what verifications have left behind."""
    await clear(client)
