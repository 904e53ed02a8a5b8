"""When to look again at what isn't done yet.

Rules:
- A service that says when to come back is obeyed, half an hour at most. Those who are told so don't come back all at
  once, and the less at once the more often they are told.
- Otherwise the longer something has waited, the slower it is asked: each look stands in a flow's history, and every
  turn replays all of them. No look is later than it could have been by more than a twelfth of the wait.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zlib import crc32

from shared.domain.errors import TemporaryError

_LONGEST_WAIT = timedelta(minutes=30)  # that a service may ask for
_JITTER, _MOST_JITTERS = timedelta(seconds=20), 6  # one more each time that a service asks for a wait
_LOOKS_PER_WAIT = 12
_SLOWEST = 4  # times the interval of the first looks


def next_look(
    run: str, now: datetime, begun: datetime, every: timedelta, waits: Sequence[TemporaryError], retry_afters: int
) -> datetime:
    """The next look of a run (by id) that has waited since `begun`; at first it looks `every` so long.

    `retry_afters` is how often in a row a service has said when to come back.
    """
    asked = [timedelta(seconds=w.retry_after) for w in waits if w.retry_after is not None]
    if asked:
        return now + min(max(asked), _LONGEST_WAIT) + jitter(run, now, _JITTER * min(retry_afters, _MOST_JITTERS))
    return now + min(max(every, (now - begun) / _LOOKS_PER_WAIT), _SLOWEST * every)


def jitter(run: str, now: datetime, most: timedelta) -> timedelta:
    """A part of `most` that differs from run to run and from moment to moment, and is the same in every replay."""
    return most * (crc32(f"{run} {now}".encode()) / 2**32)
