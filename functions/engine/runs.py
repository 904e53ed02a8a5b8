"""One run of a flow. What starts flows and looks at them knows a run by this, and nothing of the engine's own types."""

import json
from datetime import datetime
from typing import Any

import msgspec
from durabletask.client import OrchestrationState

from shared.domain.errors import shown


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run stands."""

    instance_id: str  # what the instance of the flow is called
    flow: str  # the orchestrator's name
    status: str  # pending, running, suspended, completed, failed or terminated
    progress: Any  # its custom status
    result: Any  # what it returned
    failure: str | None  # why it failed, None if it hasn't
    created_at: datetime  # UTC
    last_updated_at: datetime  # UTC

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
    """The run that the engine calls an instance."""
    return Run(
        instance_id=state.instance_id,
        flow=state.name,
        status=state.runtime_status.name.lower(),
        progress=_parsed(state.serialized_custom_status),
        result=_parsed(state.serialized_output),
        failure=shown(state.failure_details.message, 2000) if state.failure_details else None,
        created_at=state.created_at,
        last_updated_at=state.last_updated_at,
    )


def _parsed(text: str | None) -> Any:
    return json.loads(text) if text else None
