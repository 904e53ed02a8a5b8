"""One run of a flow, as the engine knows it, in words of our own: what starts and looks at flows needs no others."""

import json
from datetime import datetime
from typing import Any

import msgspec
from durabletask.client import OrchestrationState


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run stands.

    `status` is pending, running, suspended, completed, failed or terminated; `progress` is what the run shows of
    itself, `result` what it ended with, `failure` why it failed (None: it hasn't).
    """

    instance_id: str
    flow: str
    status: str
    progress: Any
    result: Any
    failure: str | None
    created_at: datetime
    last_updated_at: datetime

    @property
    def is_active(self) -> bool:
        return self.status in ("pending", "running")

    @property
    def completed(self) -> bool:
        return self.status == "completed"

    @property
    def failed(self) -> bool:
        return self.status == "failed"


def run_of(state: OrchestrationState) -> Run:
    """What the engine says of an instance."""
    return Run(
        instance_id=state.instance_id,
        flow=state.name,
        status=state.runtime_status.name.lower(),
        progress=_parsed(state.serialized_custom_status),
        result=_parsed(state.serialized_output),
        failure=state.failure_details.message if state.failure_details else None,
        created_at=state.created_at,
        last_updated_at=state.last_updated_at,
    )


def _parsed(text: str | None) -> Any:
    return json.loads(text) if text else None
