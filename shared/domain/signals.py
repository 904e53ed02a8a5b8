"""What the app logs: every line is a signal, a constant message with typed fields. Each folder has its own beside this.

Rules:
- A message never changes and no value is part of it: alerts, the workbook and dashboards ask for it by its text.
- A signal's docstring says what has happened, for docs/signals.md, which `make docs` writes.
"""

from typing import ClassVar, Literal

import msgspec


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the log. The class has the message as its tag, and a level."""

    level: ClassVar[Literal["DEBUG", "INFO", "WARNING"]] = "INFO"

    @classmethod
    def message(cls) -> str:
        """The line's constant text."""
        return str(cls.__struct_config__.tag)


class Warn(Signal, frozen=True, kw_only=True):
    """A signal that somebody may have to act on."""

    level = "WARNING"


class Failure(Warn, frozen=True, kw_only=True):
    """A signal of an error: its reason, and what it says."""

    reason: str
    error: str


class FlowStarted(Signal, frozen=True, kw_only=True, tag="started"):
    """A flow has started."""

    instance_id: str
    orchestrator: str


class AlreadyStarted(Signal, frozen=True, kw_only=True, tag="already started"):
    """A flow with this instance id is running or has run, so no other one is started."""

    instance_id: str


class OtherStarted(Warn, frozen=True, kw_only=True, tag="another started"):
    """The flow that has this instance id is for something else than what was to be started: that one isn't started."""

    instance_id: str
    orchestrator: str


class EventDeclined(Failure, frozen=True, kw_only=True, tag="event declined"):
    """An event starts no flow. Event Grid delivers it again, and in the end stores it as a dead letter."""

    event_id: str


class StepRefused(Failure, frozen=True, kw_only=True, tag="step refused"):
    """A step of a flow has failed, and trying again won't help."""

    step: str


class Unexpected(Failure, frozen=True, kw_only=True, tag="unexpected error"):
    """What nobody foresaw went wrong with `what`, a step, a cluster or a vault. `at` says where in the code."""

    what: str
    at: tuple[str, ...]


class DocumentSkipped(Failure, frozen=True, kw_only=True, tag="document skipped"):
    """A document in the store is broken: what needs it goes without it, until somebody restores or removes it."""


class CallAdmitted(Signal, frozen=True, kw_only=True, tag="call admitted"):
    """A call to the API has a valid token. `caller` is its object id in Entra."""

    route: str
    caller: str
    kind: str


class CallRefused(Failure, frozen=True, kw_only=True, tag="call refused"):
    """A call to the API was answered with an error."""

    route: str
