"""What is logged of backup jobs and of the restores that verify them."""

from shared.domain.signals import Failure, Signal, Warn


class NoCopyMade(Warn, frozen=True, kw_only=True, tag="backup made no copy"):
    """A backup job has failed, was cancelled, or has been open for more than 12 hours."""

    job: str
    status: str


class JobNotPublished(Failure, frozen=True, kw_only=True, tag="backup job not told"):
    """No event could be published for a backup job. The watch tries again, unless the job's id can't be read."""

    job: str


class JobGone(Failure, frozen=True, kw_only=True, tag="backup job gone"):
    """A backup job was deleted before an event could be published for it."""

    job: str


class _Judged(Signal, frozen=True, kw_only=True):
    job: str  # resource id of the backup job; empty if somebody asked for a recovery point
    item: str  # resource id of the protected item
    verdict: str  # what the checks say together
    reasons: str  # what speaks against a better verdict
    rpo_s: float | None  # seconds; None if none was measured
    rto_s: float | None  # seconds; None if none was measured
    left_over: int  # isolated copies that weren't seen gone


class RestoreVerified(_Judged, frozen=True, kw_only=True, tag="restore verified"):
    """A restored backup has passed its checks. `reasons` are findings that don't fail it."""


class RestoreNotVerified(_Judged, Warn, frozen=True, kw_only=True, tag="restore not verified"):
    """A restored backup has failed a check, or couldn't be checked."""


class RestoreLeftOver(Warn, frozen=True, kw_only=True, tag="restore left over"):
    """The janitor couldn't remove everything that a verification has created."""

    lease: str
    left: str


class RestoreClearedAway(Signal, frozen=True, kw_only=True, tag="restore cleared away"):
    """The janitor has removed everything that a verification left behind."""

    lease: str
