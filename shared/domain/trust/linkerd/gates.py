"""Gates of a rotation: pure judgements of what every live proxy was seen to do.

Rules (Linkerd):
- A proxy reads its roots once, at its start. An injected pod's spec holds them as text; a pod of the control plane
  takes them from the bundle as it was when the pod was made.
- A leaf is renewed after 70 % of its life, and at the start of a proxy. A leaf got after every replica of the
  identity controller was proven to use the new issuer chains to the new root.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from shared.domain.errors import NotConverged
from shared.domain.trust.certificates import fingerprints
from shared.domain.trust.linkerd.facts import Bundle, Proxy, Replica, Workload
from shared.domain.trust.linkerd.waves import blockers
from shared.domain.trust.phases import STAGES, Phase, Roots, Slot
from shared.domain.trust.verdicts import GateFault, GateVerdict, verdict_on

RELOAD_PATIENCE = timedelta(minutes=5)  # the kubelet renews a mounted Secret within about 90 seconds
_RENEWED_AFTER = 0.7  # of a leaf's life (linkerd2-proxy)
_SLACK = timedelta(minutes=1)
_SOONEST_LOOK, _LATEST_LOOK = timedelta(hours=1), timedelta(hours=4)
_TTL_TOLERANCE = timedelta(seconds=30)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What proxies must trust and must not trust (fingerprints), by the bundle that was written at `applied`."""

    trusted: frozenset[str]
    dropped: frozenset[str]
    applied: datetime


def wanted_in(phase: Phase, roots: Roots, found: Bundle) -> Wanted:
    """What every proxy is to trust at the end of the phase; raises NotConverged while the bundle says otherwise."""
    slots = STAGES[phase].trusted
    trusted, dropped = roots.of(slots), roots.of(set(Slot) - slots)
    present = fingerprints(found.text)
    if found.applied is None or not trusted <= present or dropped & present:
        raise NotConverged(
            "BundleChanged", "somebody has changed the mesh's bundle since it was written: undo the change"
        )
    return Wanted(trusted=trusted, dropped=dropped, applied=found.applied)


def trusts(proxy: Proxy, wanted: Wanted) -> bool:
    """Whether the proxy is known to trust exactly what is wanted."""
    if proxy.roots is None:
        return proxy.started is not None and proxy.created > wanted.applied
    return wanted.trusted <= proxy.roots and not wanted.dropped & proxy.roots


def trust_gate(proxies: Sequence[Proxy], wanted: Wanted, workloads: Iterable[Workload] = ()) -> GateVerdict:
    """Every live proxy trusts what is wanted; with workloads, blockers come with why nothing replaces them."""
    lacking = [p for p in proxies if not trusts(p, wanted)]
    fault = GateFault("ProxiesLackRoots", "proxies", "don't trust the roots of the phase yet")
    return verdict_on(fault, blockers(lacking, workloads), len(lacking), len(proxies))


def leaf_gate(proxies: Sequence[Proxy], refreshed: Mapping[str, datetime | None], since: datetime) -> GateVerdict:
    """Every live proxy got its leaf after `since`; `refreshed` has the last refresh, where known, by the proxy's id."""
    older = [p for p in proxies if not (started_after(p, since) or _after(refreshed.get(p.id), since))]
    fault = GateFault("LeavesNotRenewed", "proxies", "haven't been seen with a leaf of the new issuer yet")
    return verdict_on(fault, blockers(older), len(older), len(proxies))


def worth_reading_on(youngest: Iterable[datetime | None], since: datetime, life: timedelta, now: datetime) -> bool:
    """Whether others may have renewed their leaves, when this is what is known of the one that should do so last."""
    return all(at is None or at > since or now >= _renewal(at, life) for at in youngest)


def until_renewed(refreshed: Iterable[datetime | None], life: timedelta, now: datetime) -> float:
    """Seconds after which it pays to look at these proxies again: when the last of them has renewed its leaf."""
    renewals = [_renewal(at, life) - now for at in refreshed if at]
    return min(max([_SOONEST_LOOK, *renewals]), _LATEST_LOOK).total_seconds()


def issuer_gate(replicas: Sequence[Replica], expires: datetime, applied: datetime) -> GateVerdict:
    """Every replica of the identity controller uses the issuer with this NotAfter, written at `applied`.

    A replica that doesn't report its issuer is trusted only if it was made after the issuer was written.
    """
    stale = [r for r in replicas if not _uses(r, expires, applied)]
    fault = GateFault("IssuerNotReloaded", "replicas of linkerd-identity", "don't use the new issuer yet")
    return verdict_on(fault, [r.pod for r in stale], len(stale), len(replicas))


def reload_missed(replicas: Sequence[Replica], expires: datetime, applied: datetime, now: datetime) -> list[str]:
    """The replicas from before the new issuer that have had time enough to load it and haven't."""
    if now - applied < RELOAD_PATIENCE:
        return []
    return [r.pod for r in replicas if not _uses(r, expires, applied) and r.created <= applied]


def started_after(proxy: Proxy, since: datetime) -> bool:
    """Whether the proxy's process began after `since`."""
    return _after(proxy.started, since)


def _renewal(refreshed: datetime, life: timedelta) -> datetime:
    return refreshed + _RENEWED_AFTER * life + _SLACK


def _uses(replica: Replica, expires: datetime, applied: datetime) -> bool:
    if replica.expires is None:
        return replica.ready and replica.created > applied
    return replica.ready and abs(replica.expires - expires) <= _TTL_TOLERANCE


def _after(when: datetime | None, since: datetime) -> bool:
    return when is not None and when > since
