"""What the benchmark compares with: a durable app that does nothing."""

from typing import Any

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.event_grid_trigger(arg_name="event")
async def ignore(event: func.EventGridEvent) -> None:
    """Take an event and do nothing."""


@app.orchestration_trigger(context_name="context")  # type: ignore[arg-type]  # the form with one argument isn't typed
def end(context: Any) -> str:
    """End at once."""
    return str(context.instance_id)
