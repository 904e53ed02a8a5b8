"""Which workloads to restart, and in which order, so that their proxies start again.

Rules:
- A workload is restarted only for pods that lack what they need, never while its old pods are being replaced.
- A restart needs a reason that is newer than the last one: once a workload was restarted in the phase, only a pod that
  was made after that, has started, and still lacks something is one, as its injector had not seen the new bundle yet.
  Even then it isn't restarted again within `RESTART_PAUSE`. Pods from before are being replaced; those that are about
  to end, or haven't started since, are waited for.
- Waves by kind, StatefulSets last. A wave begins when nothing of the one before is left to restart. Within a wave:
  namespace by namespace, small workloads first, `restarts_at_once` at a time, so that a restart that breaks something
  breaks little.
- A rollout that isn't Meshward's, or is stuck, holds up neither another workload's restart nor the next wave.
- Restarts wait for a maintenance window, unless that opens too late for the `deadline` at which proxies are cut off.
- Pods that no restart replaces are waited for. `named_blockers` names them with what they are, so that somebody can
  act.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from shared.domain.errors import NotConverged
from shared.domain.trust.linkerd.facts import Proxy, Workload
from shared.domain.trust.policy import TrustPolicy, may_restart, next_opening
from shared.domain.trust.verdicts import MAX_BLOCKERS

RESTART_PAUSE = timedelta(minutes=10)
ROLLOUT_PATIENCE = timedelta(hours=1)  # then a rollout holds up no other, as only a Deployment's says that it is stuck
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
    since: datetime,
    deadline: datetime | None = None,
    waves: Sequence[str] = WAVES,
) -> list[Workload]:
    """The workloads to restart now so that these proxies start again; raises NotConverged outside the windows.

    What they lack is there `since` a moment of this phase.
    """
    stale = list(stale)
    needed = {w.id for w in workloads if not w.obstacle and any(is_reason(p, w, since, now) for p in stale)}
    going = {w.id for w in workloads if _rolls_out_for_us(w, since, now)} & {p.workload for p in stale}
    due = [w for w in workloads if w.id in going or (w.id in needed and (w.replaced or not w.rolling))]
    wave = next(([w for w in due if w.kind == kind] for kind in waves if any(w.kind == kind for w in due)), [])
    idle = [w for w in wave if w.id not in going and not _restarted_recently(w, now)]
    restarting = sum(w.rolling and (_restarted_recently(w, now) or w.id in going) for w in workloads)
    ready = sorted(idle, key=lambda w: (w.namespace, w.replicas, w.name))
    if ready and not may_restart(policy.maintenance, now, deadline):
        opens = next_opening(policy.maintenance, now)
        message = f"{len(ready)} workloads wait for the maintenance window that opens at {opens:%Y-%m-%d %H:%M} UTC"
        raise NotConverged("WindowClosed", message, (opens - now).total_seconds())
    return ready[: max(policy.restarts_at_once - restarting, 0)]


def is_reason(proxy: Proxy, workload: Workload, since: datetime, now: datetime) -> bool:
    """Whether a proxy that lacks what is there `since` a moment is a reason to restart its workload (again)."""
    if proxy.workload != workload.id or proxy.ending:
        return False
    last = _last_restart(workload, now)
    if last is None or last < since:
        return True
    return proxy.started_at is not None and proxy.created_at >= last


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


def _last_restart(workload: Workload, now: datetime) -> datetime | None:
    """When it was restarted last; a moment that is to come is nobody's restart."""
    at = workload.restarted_at
    return at if at and at - now < RESTART_PAUSE else None


def _restarted_recently(workload: Workload, now: datetime) -> bool:
    last = _last_restart(workload, now)
    return last is not None and now - last < RESTART_PAUSE


def _rolls_out_for_us(workload: Workload, since: datetime, now: datetime) -> bool:
    """Whether it was restarted in this phase, and its old pods are being replaced."""
    last = _last_restart(workload, now)
    begun = last is not None and since <= last and now - last < ROLLOUT_PATIENCE
    return begun and workload.rolling and not workload.replaced and not workload.stuck


def _state(proxy: Proxy) -> str:
    if proxy.ending:
        return "about to end; if its node is gone, delete the pod with --force"
    return "not started yet" if proxy.started_at is None and proxy.controller != "ExternalWorkload" else ""


def _obstacle(proxy: Proxy, workloads: Mapping[str, Workload]) -> str:
    if workload := workloads.get(proxy.workload):
        return _state(proxy) or workload.obstacle or ("its rollout is stuck" if workload.stuck else "")
    return _state(proxy) or _without_workload(proxy, workloads)


def _without_workload(proxy: Proxy, workloads: Mapping[str, Workload]) -> str:
    kind = proxy.workload.partition("/")[0]
    if kind and not workloads:
        return ""
    if kind and kind != ROLLOUT:
        return f"its {kind} was deleted, delete the pod"
    return _UNREPLACED.get(kind or proxy.controller, f"{proxy.controller}, restart it yourself")
