"""All internals of other libraries that this host replaces, calls or reads.

They may change without notice. `departures` names the differences between the installed versions and this list; the
engine refuses to start then, and a test fails. Whoever follows such a change looks at `engine.py` first.
"""

import inspect
from collections.abc import Iterator
from datetime import datetime, tzinfo
from types import ModuleType
from typing import Any, override

from aiohttp import connector
from durabletask.internal import helpers
from durabletask.testing import in_memory_backend

from local.cloud.clock import Clock

Parameters = tuple[str, ...]
_CALL = ("self", "request", "context")

# Methods of durabletask's back end that the engine overrides.
REPLACED: dict[str, Parameters] = {
    "start": ("self",),
    "stop": ("self", "grace"),
    "StartInstance": _CALL,
    "CompleteOrchestratorTask": _CALL,
    "_create_instance_internal": ("self", "instance_id", "name", "encoded_input", "version"),
    "_process_create_timer_action": ("self", "instance", "action"),
    "_process_complete_orchestration_action": ("self", "instance", "complete_action"),
    "_schedule_delayed_entity_operation": ("self", "entity_id", "event", "fire_at"),
    "_watch_sub_orchestration": ("self", "parent_instance_id", "sub_instance_id", "task_id"),
    "_terminate_instance_internal": ("self", "instance_id", "output", "recursive"),
    "_notify_waiters": ("self", "instance_id"),
}
# Methods of it that the engine and the extension call.
CALLED: dict[str, Parameters] = {
    "GetWorkItems": _CALL,
    "CompleteActivityTask": _CALL,
    "CompleteEntityTask": _CALL,
    "PurgeInstances": _CALL,
    "RaiseEvent": _CALL,
    "TerminateInstance": _CALL,
    "SuspendInstance": _CALL,
    "ResumeInstance": _CALL,
    "RewindInstance": _CALL,
    "RestartInstance": _CALL,
    "_enqueue_orchestration": ("self", "instance_id"),
    "_queue_entity_operation": ("self", "entity_id", "event"),
}
# What it keeps; `_work_available` is replaced by a doorbell that has the methods of threading.Event it calls.
STATE = ("_instances", "_lock", "_server", "_work_available", "_orchestration_in_flight", "_orchestration_queue")
INSTANCE = (
    "instance_id",
    "name",
    "status",
    "input",
    "output",
    "custom_status",
    "failure_details",
    "created_at",
    "last_updated_at",
    "history",
    "pending_events",
)
HELPERS: dict[str, Parameters] = {
    "new_timer_created_event": ("timer_id", "fire_at"),
    "new_timer_fired_event": ("timer_id", "fire_at"),
    "new_sub_orchestration_completed_event": ("event_id", "encoded_output"),
    "convert_to_entity_batch_request": ("req",),
}
# A placeholder becomes a worker after aiohttp has been imported, which reads the environment's certificates once.
CONNECTOR = ("_SSL_CONTEXT_VERIFIED", "_make_ssl_context")


class Changed(Exception):
    """The installed version of a library isn't what this host was written against."""


def require(backend: ModuleType = in_memory_backend) -> None:
    """Raises Changed with everything that is different."""
    if found := list(departures(backend)):
        raise Changed("local/host/upstream.py no longer fits what is installed: " + "; ".join(found))


def departures(backend: ModuleType = in_memory_backend) -> Iterator[str]:
    """In what the installed libraries differ from what is written here, in sentences."""
    yield from _methods(backend.InMemoryOrchestrationBackend, REPLACED | CALLED, "durabletask's back end")
    yield from _methods(helpers, HELPERS, "durabletask.internal.helpers")
    yield from _names(backend.InMemoryOrchestrationBackend(), STATE, "durabletask's back end")
    yield from _names(backend.OrchestrationInstance("", "", 0), INSTANCE, "durabletask's OrchestrationInstance")
    yield from _names(backend, ("datetime",), "the module of durabletask's back end")
    yield from _names(connector, CONNECTOR, "aiohttp.connector")


def _methods(owner: Any, expected: dict[str, Parameters], of: str) -> Iterator[str]:
    yield from _names(owner, tuple(expected), of)
    for name, parameters in expected.items():
        found = tuple(inspect.signature(getattr(owner, name)).parameters) if hasattr(owner, name) else parameters
        if found != parameters:
            yield f"{of} takes {found} in {name}, not {parameters}"


def _names(owner: object, expected: tuple[str, ...], of: str) -> Iterator[str]:
    yield from (f"{of} has no {name}" for name in expected if not hasattr(owner, name))


def tell_time_by(clock: Clock) -> None:
    """Let the back end read this clock: it asks its module's `datetime`, and has no other seam for one."""

    class VirtualDatetime(datetime):
        @classmethod
        @override
        def now(cls, tz: tzinfo | None = None) -> Any:
            return clock.now().astimezone(tz)

    in_memory_backend.datetime = VirtualDatetime  # type: ignore[attr-defined]
