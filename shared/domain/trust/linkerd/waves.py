"""Which workloads to restart, and in which order, so that their proxies start again.

Rules:
- A workload is restarted only for pods that lack what they need, never while its old pods are being replaced. It isn't
  restarted again within `RESTART_PAUSE`: if its new pods still lack it, their injector had not seen the new bundle yet.
- Waves by kind, StatefulSets last. A wave begins when nothing of the one before is left to restart. Within a wave:
  namespace by namespace, small workloads first, `restarts_at_once` at a time, so that a restart that breaks something
  breaks little.
- Restarts wait for a maintenance window.
- Pods that no restart replaces are waited for. `named_blockers` names them with what they are, so that somebody can
  act.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from shared.domain.errors import NotConverged
from shared.domain.trust.linkerd.facts import Proxy, Workload
from shared.domain.trust.policy import TrustPolicy, is_open, next_opening
from shared.domain.trust.verdicts import MAX_BLOCKERS

RESTART_PAUSE = timedelta(minutes=10)
ROLLOUT = "Rollout.argoproj.io"
WAVES = ("Deployment", ROLLOUT, "DaemonSet", "StatefulSet")

_UNREPLACED = {  # by what made a pod: why no restart replaces it, and what to do
    "": "bare pod, delete it",
    "Job": "Job, ends by itself",
    "ExternalWorkload": "outside the cluster, set its annotations meshward/trusts and meshward/started-at",
    ROLLOUT: f"its {ROLLOUT} isn't seen, apply infra/cluster or restart it yourself",
}


def next_restarts(
    workloads: Sequence[Workload],
    stale: Iterable[Proxy],
    now: datetime,
    policy: TrustPolicy,
    *,
    waves: Sequence[str] = WAVES,
) -> list[Workload]:
    """The workloads to restart now so that these proxies start again; raises NotConverged outside the windows."""
    needed = {p.workload for p in stale}
    due = [w for w in workloads if w.id in needed and not w.obstacle]
    wave = next(([w for w in due if w.kind == kind] for kind in waves if any(w.kind == kind for w in due)), [])
    idle = [w for w in wave if not _restarted_recently(w, now) and (w.replaced or not w.rolling)]
    restarting = sum(w.rolling and (_restarted_recently(w, now) or (w in wave and not w.replaced)) for w in workloads)
    ready = sorted(idle, key=lambda w: (w.namespace, w.replicas, w.name))
    if ready and not is_open(policy.maintenance, now):
        opens = next_opening(policy.maintenance, now)
        message = f"{len(ready)} workloads wait for the maintenance window that opens at {opens:%Y-%m-%d %H:%M} UTC"
        raise NotConverged("WindowClosed", message, (opens - now).total_seconds())
    return ready[: max(policy.restarts_at_once - restarting, 0)]


def restartable(workloads: Iterable[Workload], proxies: Iterable[Proxy]) -> list[Proxy]:
    """The proxies that a restart of their workload would replace."""
    restartable_ids = {w.id for w in workloads if not w.obstacle}
    return [p for p in proxies if p.workload in restartable_ids]


def rolling(workloads: Iterable[Workload], proxies: Iterable[Proxy]) -> bool:
    """Whether a workload of these proxies rolls out."""
    concerned = {p.workload for p in proxies}
    return any(w.rolling and w.id in concerned for w in workloads)


def named_blockers(proxies: Iterable[Proxy], workloads: Iterable[Workload] = ()) -> tuple[str, ...]:
    """These proxies as `namespace/pod (why it isn't replaced)`, those that wait for their turn last; 50 at most."""
    by_id = {w.id: w for w in workloads}
    named = [(_obstacle(p, by_id), p.id) for p in proxies]
    named.sort(key=lambda one: (not one[0], one[1]))
    return tuple(f"{id} ({why})" if why else id for why, id in named[:MAX_BLOCKERS])


def _restarted_recently(workload: Workload, now: datetime) -> bool:
    return workload.restarted_at is not None and now - workload.restarted_at < RESTART_PAUSE


def _obstacle(proxy: Proxy, workloads: Mapping[str, Workload]) -> str:
    if workload := workloads.get(proxy.workload):
        return workload.obstacle or ("its rollout is stuck" if workload.stuck else "")
    kind = proxy.workload.partition("/")[0]
    if kind and not workloads:
        return ""
    if kind and kind != ROLLOUT:
        return f"its {kind} was deleted, delete the pod"
    return _UNREPLACED.get(kind or proxy.controller, f"{proxy.controller}, restart it yourself")
