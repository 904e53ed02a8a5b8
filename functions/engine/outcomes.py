"""How a call of an activity ends: Finished, Waiting or Refused, which histories tell apart by a field "type"."""

from typing import TYPE_CHECKING, Any, cast

from msgspec import Struct

from shared.domain.errors import PermanentError, TemporaryError

if TYPE_CHECKING:
    from shared.domain.reasons import RefusedReason, WaitingReason

type ActivityOutcome = Finished | Waiting | Refused


class Finished(Struct, frozen=True, tag=str.lower):
    """The work is done; its result in JSON's types."""

    result: Any


class Waiting(Struct, frozen=True, tag=str.lower):
    """Not yet: what TemporaryError says."""

    reason: str
    message: str
    retry_after: float | None = None
    blockers: tuple[str, ...] = ()

    @property
    def error(self) -> TemporaryError:
        return TemporaryError(cast("WaitingReason", self.reason), self.message, self.retry_after, self.blockers)


class Refused(Struct, frozen=True, tag=str.lower):
    """Never: what PermanentError says."""

    reason: str
    message: str

    @property
    def error(self) -> PermanentError:
        return PermanentError(cast("RefusedReason", self.reason), self.message)
