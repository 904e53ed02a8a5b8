"""How often Azure is asked for the same thing while it accepts the request, and nothing changes.

Rules:
- What was accepted gets its time to take effect. Until then it isn't asked for again.
- Where an operation goes on, it is followed, and the time begins when it has ended well.
- When the last of the requests had its time, the flow ends with `WithoutEffect`.
- What was asked for an hour ago belongs to an earlier run, and doesn't count. What a verification has made, the janitor
  looks at every hour: its deletions count for a day.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Self

import msgspec

from shared.domain.documents import Document
from shared.domain.errors import PermanentError
from shared.domain.resource_id import folded

TAKES_EFFECT_WITHIN = timedelta(minutes=20)
FORGOTTEN_AFTER = timedelta(hours=1)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What Azure was asked for and has accepted, and when, in UTC."""

    what: str
    at: tuple[datetime, ...] = ()
    operation: str = ""  # id of the one that goes on, as far as is known

    def due(self, now: datetime, times: int, within: timedelta = FORGOTTEN_AFTER) -> bool:
        """Whether to ask, `times` an hour (or `within`) at most.

        Raises PermanentError if nothing has come of the last time.
        """
        recent = self._recent(now, within)
        if recent and now - recent[-1] < TAKES_EFFECT_WITHIN:
            return False
        if len(recent) >= times:
            raise PermanentError(
                "WithoutEffect",
                f"{self.what}: Azure has accepted this, the last time on {recent[-1]:%Y-%m-%d at %H:%M} UTC, "
                "and nothing has changed",
            )
        return True

    def again(self, now: datetime, operation: str = "", within: timedelta = FORGOTTEN_AFTER) -> Self:
        """The same, asked for once more, which began this operation."""
        return msgspec.structs.replace(self, at=(*self._recent(now, within), now), operation=operation)

    def ended(self, now: datetime, *, known: bool) -> Self:
        """The same, once the operation has ended well, or isn't `known` to Azure (any more)."""
        recent = self._recent(now, FORGOTTEN_AFTER)
        return msgspec.structs.replace(self, at=(*recent[:-1], now) if recent and known else recent, operation="")

    def failed(self) -> Self:
        """The same, once the operation has failed: the next run may ask at once."""
        return msgspec.structs.replace(self, at=(), operation="")

    def _recent(self, now: datetime, within: timedelta) -> tuple[datetime, ...]:
        return tuple(at for at in self.at if now - at < within)


ASKED = Document("asked/{vault}/{what}.json", "When Azure was asked for a change of what belongs to a vault.", Asked)


def asked_path(vault: str, what: str) -> str:
    """Where it is written down when this was asked for."""
    return ASKED.path(vault=vault, what=hashlib.sha256(folded(what).encode()).hexdigest()[:16])
