"""The errors that flows decide on. Adapters translate what SDKs raise into these and chain the cause.

MeshwardError
├── PermanentError        trying again won't help: the flow ends with this reason
│   ├── InvalidEvent      the event is malformed or not meant for us: it is dead-lettered, nothing starts
│   ├── NotFound          what the call names isn't there
│   ├── Conflict          what was asked for doesn't fit the state of things any more: look again, then ask again
│   ├── Unreadable        a document in the store was broken: somebody has to restore or remove it
│   └── Misconfigured     the app itself lacks a setting or has a wrong one: somebody has to set it
└── TemporaryError        the world isn't ready: the step is tried again after `retry_after` seconds
    └── NotConverged      what was asked for is under way but not there yet; no fault of anybody
"""

from collections.abc import Sequence

from shared.domain import reasons
from shared.domain.reasons import Reason, ServiceCode

_LONGEST_QUOTE = 200
_LONGEST_MESSAGE = 2000  # a sentence of ours, with what it quotes


class MeshwardError(Exception):
    """A reason (one CamelCase word, for machines) and a message (a sentence that says what to do, for people)."""

    def __init__(self, reason: Reason, message: str) -> None:
        self.reason: Reason = reason
        self.message = shown(message, _LONGEST_MESSAGE)
        super().__init__(f"{reason}: {self.message}")


class PermanentError(MeshwardError):
    """Trying again won't help."""

    def __init__(self, reason: reasons.RefusedReason | ServiceCode, message: str) -> None:
        super().__init__(reason, message)


class InvalidEvent(PermanentError):
    """The event is malformed or not meant for us."""

    def __init__(self, reason: reasons.DeclinedReason, message: str) -> None:
        MeshwardError.__init__(self, reason, message)


class NotFound(PermanentError):
    """What the call names isn't there."""

    def __init__(self, reason: reasons.NotFoundReason, message: str) -> None:
        MeshwardError.__init__(self, reason, message)


class Conflict(PermanentError):
    """The call rests on a state of things that isn't there (any more)."""

    def __init__(self, reason: reasons.ConflictReason, message: str) -> None:
        MeshwardError.__init__(self, reason, message)


class Unreadable(PermanentError):
    """A document in the store isn't what it was written as; the message names it."""

    def __init__(self, reason: reasons.FaultReason, message: str) -> None:
        MeshwardError.__init__(self, reason, message)


class Misconfigured(PermanentError):
    """An application setting is missing or wrong; the message names it."""

    def __init__(self, reason: reasons.FaultReason, message: str) -> None:
        MeshwardError.__init__(self, reason, message)


class TemporaryError(MeshwardError):
    """The step is worth another try; `retry_after` is in seconds, None leaves the pace to the caller.

    `blockers` names what it waits for, where that is known.
    """

    def __init__(
        self,
        reason: reasons.WaitingReason | ServiceCode,
        message: str,
        retry_after: float | None = None,
        blockers: Sequence[str] = (),
    ) -> None:
        super().__init__(reason, message)
        self.retry_after, self.blockers = retry_after, tuple(blockers)


class NotConverged(TemporaryError):
    """Under way, not there yet."""


def shown(text: str, most: int = _LONGEST_QUOTE) -> str:
    """A text from outside as messages may quote it: at most 200 characters, none of which moves a cursor."""
    short = text if len(text) <= most else f"{text[: most - 1]}…"
    return "".join(letter if letter.isprintable() else "�" for letter in short)


def service_code(text: str) -> ServiceCode:
    """The code that Azure or an API server gives, as a reason: a text from outside, shown as messages show those."""
    return ServiceCode(shown(text))
