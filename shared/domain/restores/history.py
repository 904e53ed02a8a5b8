"""The verifications of an item: one small document per item, newest last.

Choosing looks at it (what was never tested, what has waited longest), and so do census and trends. It keeps the newest
`MOST_TRIALS`; the verdicts themselves stay for ever.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from shared.domain.documents import Document
from shared.domain.restores.checks import VerificationResult
from shared.domain.restores.items import Item, ItemKind
from shared.domain.restores.verification import RestorePlan, item_digest

MOST_TRIALS = 400
VERIFIED = frozenset({"Verified", "VerifiedWithFindings"})


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One verification, as an item's history keeps it."""

    name: str  # of the verification
    at: datetime  # when it was judged
    verdict: str  # what the checks said together
    reasons: tuple[str, ...]  # what spoke against a better verdict
    point: str  # id of the recovery point
    policy: str  # resource id of the backup policy at that time
    names: tuple[str, ...]  # namespaces, or the share
    rpo_s: float | None  # seconds, None if none was measured
    rto_s: float | None  # seconds, None if none was measured

    @property
    def verified(self) -> bool:
        return self.verdict in VERIFIED


class History(msgspec.Struct, frozen=True, kw_only=True):
    """All verifications of an item that are kept."""

    item_id: str  # resource id of the protected item
    source_id: str  # of the cluster, machine or storage account
    kind: ItemKind  # of the item
    trust_domain: str = ""  # of a cluster
    trials: tuple[Trial, ...] = ()  # the oldest first

    @property
    def last_verified(self) -> Trial | None:
        """The newest whose verdict was good."""
        return next((trial for trial in reversed(self.trials) if trial.verified), None)

    def verified_at(self, name: str) -> datetime | None:
        """When a namespace, or the share, was last verified."""
        return next((t.at for t in reversed(self.trials) if t.verified and name in t.names), None)

    def has_verified(self, point: str) -> bool:
        """Whether a point was verified."""
        return any(trial.verified and trial.point == point for trial in self.trials)

    def with_trial(self, trial: Trial) -> "History":
        """The history with one more; the same if it has that one already."""
        if any(recorded.name == trial.name for recorded in self.trials):
            return self
        return msgspec.structs.replace(self, trials=(*self.trials, trial)[-MOST_TRIALS:])


HISTORY = Document("trials/{item}.json", "The verifications of an item, newest last.", History)


def history_path(item_id: str) -> str:
    """Where the history of an item is kept."""
    return HISTORY.path(item=item_digest(item_id))


def empty_history(item: Item, trust_domain: str = "") -> History:
    """The history of an item that was never tested; `trust_domain` is that of its cluster."""
    return History(item_id=item.id, source_id=item.source_id, kind=item.kind, trust_domain=trust_domain)


def trial_of(plan: RestorePlan, result: VerificationResult) -> Trial:
    """What the history keeps of a verdict."""
    return Trial(
        name=plan.name,
        at=result.judged_at,
        verdict=result.verdict,
        reasons=result.reasons,
        point=plan.point.id,
        policy=plan.item.policy,
        names=tuple(plan.isolated),
        rpo_s=result.rpo_s,
        rto_s=result.rto_s,
    )


def waiting_longest(names: Iterable[str], history: History, count: int) -> list[str]:
    """Those that were never verified or whose verification is longest ago, so many at most."""

    def turn(name: str) -> tuple[bool, float, str]:
        at = history.verified_at(name)
        return (at is not None, at.timestamp() if at else 0.0, name)

    return sorted(sorted(names, key=turn)[:count])
