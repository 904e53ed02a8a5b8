"""Plans of verifications for tests that need one and don't care how it came about."""

from datetime import datetime
from typing import Any

from shared.domain.restores.choice import ChosenPoint, plan_of
from shared.domain.restores.history import empty_history
from shared.domain.restores.items import ClusterItem, Item, RecoveryPoint
from shared.domain.restores.manifest import Manifest, ManifestEntry
from shared.domain.restores.policy import VerifyPolicy
from shared.domain.restores.verification import RestorePlan, RestoreSource, Verification
from tests.worlds.times import NOW

NAME = "0f0e0d0c-1111-4222-8333-444455556666"
KNOBS = VerifyPolicy()


def a_plan(now: datetime = NOW, **facts: Any) -> RestorePlan:
    """A plan of a cluster's verification in which these facts are otherwise."""
    usual: dict[str, Any] = {
        "name": NAME,
        "job_id": f"/vault/backupJobs/{NAME}",
        "item": ClusterItem(id="i", source_id="c"),
        "target_id": "c",
        "trust_domain": "prod.contoso.example",
        "point": RecoveryPoint(id="p", time=now, complete=True),
        "rpo_s": 3600,
        "taken": now,
        "planned": now,
        "isolated": {"shop": "verify-shop"},
    }
    return RestorePlan(**usual | facts)


def plan_for(
    item: Item, point: RecoveryPoint, names: tuple[str, ...], now: datetime, *, secret: str = NAME
) -> RestorePlan:
    """The plan that the domain makes for a point."""
    source = RestoreSource(verification=Verification(name=NAME), item=item, target_id=item.source_id, names=names)
    return plan_of(source, ChosenPoint(point, point.time, ()), empty_history(item), KNOBS, now, secret=secret)


def a_manifest(taken: datetime = NOW, /, **entries: ManifestEntry) -> Manifest:
    """A manifest of these entries."""
    return Manifest(taken=taken, names=("shop",), total=len(entries), entries=entries)
