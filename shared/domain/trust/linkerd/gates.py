"""Gates of a rotation: pure judgements of what every live proxy was seen to do.

Rules (Linkerd):
- A proxy reads its roots once, at its start. An injected pod's spec holds them as text; a pod of the control plane
  takes them from the bundle as it was when the pod was made.
- A leaf is renewed after 70 % of its lifetime, and at the start of a proxy. A leaf that a proxy got after every replica
  of the identity controller was proven to use the new issuer chains to the new root. A proxy that hasn't started holds
  none, and no leaf outlives its lifetime.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from shared.domain.errors import NotConverged
from shared.domain.trust.certificates import fingerprints
from shared.domain.trust.linkerd.facts import Bundle, IdentityPod, IssuerSecret, Proxy, Workload
from shared.domain.trust.linkerd.waves import named_blockers
from shared.domain.trust.phases import STAGES, Phase, Roots, Slot
from shared.domain.trust.policy import LEAF_LIFETIME
from shared.domain.trust.verdicts import GateFault, GateVerdict, gate_verdict

RELOAD_PATIENCE = timedelta(minutes=5)  # the kubelet renews a mounted Secret within about 90 seconds
_RENEWED_AFTER = 0.7  # of a leaf's lifetime (linkerd2-proxy)
_SLACK = timedelta(minutes=1)
_SHORTEST_WAIT, _LONGEST_WAIT = timedelta(hours=1), timedelta(hours=4)
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)
_TTL_TOLERANCE = timedelta(seconds=30)


class DesiredTrust(msgspec.Struct, frozen=True, kw_only=True):
    """What each proxy has to trust at the end of a phase (fingerprints)."""

    trusted: frozenset[str]
    dropped: frozenset[str]  # roots of ours that it must not trust
    written_at: datetime  # when the bundle that says so was written


def desired_trust(phase: Phase, roots: Roots, bundle: Bundle) -> DesiredTrust:
    """What each proxy has to trust at the end of the phase; raises NotConverged while the bundle says otherwise."""
    slots = STAGES[phase].trusted
    trusted, dropped = roots.of(slots), roots.of(set(Slot) - slots)
    present = fingerprints(bundle.pem)
    written_at = bundle.written_at or (_BEFORE_ALL if _drops_new_root(phase) else None)
    if written_at is None or not trusted <= present or dropped & present:
        raise NotConverged(
            "BundleChanged", "somebody has changed the mesh's bundle since it was written: undo the change"
        )
    return DesiredTrust(trusted=trusted, dropped=dropped, written_at=written_at)


def is_untouched(phase: Phase, bundle: Bundle, issuer: IssuerSecret) -> bool:
    """Whether no new root was ever in the bundle from which it is to be taken: Meshward has never written it."""
    return _drops_new_root(phase) and bundle.written_at is None and not issuer.bundle_sha256


def _drops_new_root(phase: Phase) -> bool:
    return Slot.NEW not in STAGES[phase].trusted


def trusts(proxy: Proxy, desired: DesiredTrust) -> bool:
    """Whether the proxy is known to trust exactly what is desired."""
    if proxy.roots is None:
        return proxy.started_at is not None and proxy.created_at > desired.written_at
    return desired.trusted <= proxy.roots and not desired.dropped & proxy.roots


def trust_gate(proxies: Sequence[Proxy], desired: DesiredTrust, workloads: Iterable[Workload] = ()) -> GateVerdict:
    """Every live proxy trusts what is desired; with workloads, blockers come with why nothing replaces them."""
    lacking = [p for p in proxies if not trusts(p, desired)]
    fault = GateFault("ProxiesLackRoots", "proxies", "don't trust the roots of the phase yet")
    return gate_verdict(fault, named_blockers(lacking, workloads), len(lacking), len(proxies))


def leaf_gate(
    proxies: Sequence[Proxy], refreshed_at: Mapping[str, datetime | None], after: datetime, *, over: bool = False
) -> GateVerdict:
    """Every live proxy got its leaf after a moment; `refreshed_at` has the last refresh by the proxy's id.

    Or those from before are `over`, in whatever proxy.
    """
    older = (
        []
        if over
        else [p for p in proxies if holds_older_leaf(p, after) and not _is_after(refreshed_at.get(p.id), after)]
    )
    fault = GateFault("LeavesNotRenewed", "proxies", "haven't been seen with a leaf of the new issuer yet")
    return gate_verdict(fault, named_blockers(older), len(older), len(proxies))


def older_leaves_are_over(after: datetime, lifetime: timedelta, now: datetime) -> bool:
    """Whether no leaf from before the moment is valid any more, in whatever proxy."""
    return now > after + max(lifetime, LEAF_LIFETIME) + _SLACK


def may_be_renewed(youngest: Iterable[datetime | None], after: datetime, lifetime: timedelta, now: datetime) -> bool:
    """Whether the other leaves may be renewed, by the last refresh of the proxy that should renew its leaf last.

    While that can't be read, the gate isn't passed anyway.
    """
    return all(at is not None and (at > after or now >= _renewal(at, lifetime)) for at in youngest)


def seconds_until_renewed(
    refreshed_at: Iterable[datetime | None], after: datetime, lifetime: timedelta, now: datetime
) -> float:
    """After how many seconds to look at these proxies again: when the last of them has renewed its leaf.

    One that couldn't be read is looked at again in a minute; later, less often.
    """
    found = list(refreshed_at)
    if None in found:
        return max(_SLACK, min((now - after) / 100, _SHORTEST_WAIT)).total_seconds()
    renewals = [_renewal(at, lifetime) - now for at in found if at]
    return min(max([_SHORTEST_WAIT, *renewals]), _LONGEST_WAIT).total_seconds()


def issuer_gate(replicas: Sequence[IdentityPod], expires_at: datetime, written_at: datetime) -> GateVerdict:
    """Every replica of the identity controller uses the issuer with this NotAfter.

    A replica that doesn't report its issuer is trusted only if it was made after the issuer was written.
    """
    stale = [r for r in replicas if not _uses(r, expires_at, written_at)]
    fault = GateFault("IssuerNotReloaded", "replicas of linkerd-identity", "don't use the new issuer yet")
    return gate_verdict(fault, [r.pod for r in stale], len(stale), len(replicas))


def pods_without_reload(
    replicas: Sequence[IdentityPod], expires_at: datetime, written_at: datetime, now: datetime
) -> list[IdentityPod]:
    """The replicas from before the new issuer that have had time enough to load it and don't say that they have.

    One look proves nothing against a replica: it may just not be reached. Who is found in two of them, minutes apart,
    has missed it.
    """
    if now - written_at < RELOAD_PATIENCE:
        return []
    return [r for r in replicas if not _reports(r, expires_at) and r.created_at <= written_at]


def started_after(proxy: Proxy, moment: datetime) -> bool:
    """Whether the proxy's process began after the moment."""
    return _is_after(proxy.started_at, moment)


def holds_older_leaf(proxy: Proxy, moment: datetime) -> bool:
    """Whether the proxy may hold a leaf from before the moment, as far as its pod tells.

    One whose process hasn't begun, or has ended, holds none. Of a machine outside nobody knows that.
    """
    if proxy.started_at is None:
        return proxy.controller == "ExternalWorkload"
    return not started_after(proxy, moment)


def _renewal(refreshed_at: datetime, lifetime: timedelta) -> datetime:
    return refreshed_at + _RENEWED_AFTER * lifetime + _SLACK


def _uses(replica: IdentityPod, expires_at: datetime, written_at: datetime) -> bool:
    if replica.issuer_expires_at is None:
        return replica.ready and replica.created_at > written_at
    return replica.ready and _reports(replica, expires_at)


def _reports(replica: IdentityPod, expires_at: datetime) -> bool:
    at = replica.issuer_expires_at
    return at is not None and abs(at - expires_at) <= _TTL_TOLERANCE


def _is_after(at: datetime | None, moment: datetime) -> bool:
    return at is not None and at > moment
