"""How a call of an activity ends: Finished, Waiting or Refused. In histories each is a dictionary of one key.

    {"done": result}    {"wait": {reason, message, retry_after, blockers}}    {"refused": {reason, message}}

Histories outlive upgrades, so this form stays.
"""

from typing import TYPE_CHECKING, Any, cast

import msgspec

from shared.domain.errors import PermanentError, TemporaryError

if TYPE_CHECKING:
    from shared.domain.reasons import RefusedReason, WaitingReason

type ActivityOutcome = Finished | Waiting | Refused


class Finished(msgspec.Struct, frozen=True):
    """The work is done; its result in JSON's types."""

    result: Any


class Waiting(msgspec.Struct, frozen=True):
    """Not yet: what TemporaryError says."""

    reason: str
    message: str
    retry_after: float | None = None
    blockers: tuple[str, ...] = ()

    @property
    def error(self) -> TemporaryError:
        return TemporaryError(cast("WaitingReason", self.reason), self.message, self.retry_after, self.blockers)


class Refused(msgspec.Struct, frozen=True):
    """Never: what PermanentError says."""

    reason: str
    message: str

    @property
    def error(self) -> PermanentError:
        return PermanentError(cast("RefusedReason", self.reason), self.message)


def recorded(outcome: ActivityOutcome) -> dict[str, Any]:
    """The outcome as histories have it."""
    match outcome:
        case Finished(result):
            return {"done": result}
        case Waiting():
            return {"wait": msgspec.to_builtins(outcome)}
        case Refused():
            return {"refused": msgspec.to_builtins(outcome)}


def outcome_of(record: dict[str, Any]) -> ActivityOutcome:
    """The outcome that a history has; raises ValueError for any other dictionary."""
    match record:
        case {"done": result}:
            return Finished(result)
        case {"wait": wait}:
            return msgspec.convert(wait, Waiting)
        case {"refused": refused}:
            return msgspec.convert(refused, Refused)
    raise ValueError(f"{sorted(record)} is no outcome of an activity")
