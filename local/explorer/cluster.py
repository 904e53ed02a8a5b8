"""What a member's cluster is, and what it does by itself: a small model of Linkerd and Kubernetes.

Rules, each a fact of Linkerd that docs/fidelity.md holds the simulated clusters to:
- A proxy reads its roots once: from its pod's spec, which the injector fills from the bundle when the pod is made. A
  pod of the control plane takes them from the bundle as it is then.
- linkerd-identity reads its roots at its start, and loads an issuer that is written later if it chains to those. One
  that doesn't is skipped without a word.
- A leaf is signed by the issuer that linkerd-identity uses when the proxy starts or renews it.
- Moments are ranks: only what came before what counts, and whether the last of it is minutes old or longer (`fresh`).
- A pod may be made, and a leaf renewed, at any moment. `Exposure` says what proxies may trust and show by then.
"""

from collections.abc import Iterable
from typing import NamedTuple

IDENTITY, WEB, BARE, CRON = "linkerd-identity", "web", "a bare pod", "a pod of a CronJob"


class Pod(NamedTuple):
    """A pod with a proxy."""

    kind: str  # restarts replace the first two
    roots: str  # letters of those that its proxy trusts
    made: int  # rank
    leaf: str  # letter of the root that its leaf chains to; empty: it has none
    leaf_at: int  # rank
    started: bool = True


class Exposure(NamedTuple):
    """What the proxies of a cluster may show to others, and what each of them may trust, now or once renewed."""

    leaves: frozenset[str]
    trusted: frozenset[str]  # each the letters of some proxy's roots


class ModelCluster(NamedTuple):
    """The mesh of a cluster."""

    bundle: str = "O"  # letters of its roots
    bundle_at: int = 0  # rank of Meshward's write; 0: Meshward didn't write it
    issuer: str = "O"  # letter of its root
    issuer_at: int = 0  # rank of Meshward's write; 0: Meshward didn't write it
    beside: str = "O"  # the copy of the bundle beside the issuer
    marked: bool = False  # whether the issuer's Secret says that Meshward wrote the bundle
    using: str = "O"  # letter of the issuer that linkerd-identity uses
    deaf: bool = False  # whether linkerd-identity misses what is written
    pods: tuple[Pod, ...] = (Pod(IDENTITY, "O", 1, "O", 1), Pod(WEB, "O", 1, "O", 1))
    rolling: tuple[str, ...] = ()  # kinds whose rollout hasn't finished
    restarted: tuple[tuple[str, int], ...] = ()  # rank of the last restart in the phase, by kind
    ahead: bool = False  # whether the last restart of web was asked for by a clock that is days ahead
    fresh: bool = False  # whether what came last is minutes old

    @property
    def identity(self) -> Pod:
        return next(pod for pod in self.pods if pod.kind == IDENTITY)

    @property
    def serves(self) -> bool:
        """Whether linkerd-identity can start, or goes on, with the issuer that it uses."""
        return self.identity.started and self.using in self.identity.roots

    @property
    def exposure(self) -> Exposure:
        """What may be shown and trusted from here on without another change."""
        issuers = {self.issuer, *({self.using} if self.serves else ())}  # the one may be loaded at any moment
        leaves = {pod.leaf for pod in self.pods if pod.leaf} | issuers
        return Exposure(frozenset(leaves), frozenset({pod.roots for pod in self.pods} | {self.bundle}))


def latest(cluster: ModelCluster, *others: int) -> int:
    """The rank of what came last."""
    return max(_ranks(cluster, *others))


def in_order(cluster: ModelCluster, activated: int) -> tuple[ModelCluster, int]:
    """The same with the ranks that its order has: worlds that no rule tells apart are one.

    What a pod's moments are compared with is when Meshward has written or restarted something, or proven the issuer.
    """
    restarted = dict(cluster.restarted)
    marks = sorted({0, cluster.bundle_at, cluster.issuer_at, activated, *restarted.values()})
    place = {rank: 2 * n for n, rank in enumerate(marks)}

    def within(rank: int, known: Iterable[int]) -> int:
        before = max(mark for mark in known if mark <= rank)
        return place[before] + (rank > before)

    def pod_in_order(pod: Pod) -> Pod:
        known = marks if pod.kind == IDENTITY else (0, activated, restarted.get(pod.kind, 0))
        return pod._replace(made=within(pod.made, known), leaf_at=within(pod.leaf_at, (0, activated)))

    return cluster._replace(
        bundle_at=place[cluster.bundle_at],
        issuer_at=place[cluster.issuer_at],
        pods=tuple(pod_in_order(pod) for pod in cluster.pods),
        restarted=tuple((kind, place[rank]) for kind, rank in cluster.restarted),
    ), place[activated]


def _ranks(cluster: ModelCluster, *others: int) -> Iterable[int]:
    pods = [rank for pod in cluster.pods for rank in (pod.made, pod.leaf_at)]
    return (cluster.bundle_at, cluster.issuer_at, *pods, *(rank for _, rank in cluster.restarted), *others)


class Passed(NamedTuple):
    """What a cluster has done by itself."""

    cluster: ModelCluster
    word: str
    long: bool  # whether a round is over by then


def pass_time(cluster: ModelCluster, activated: int) -> Passed | None:
    """What the cluster does next by itself; None: nothing that isn't so already."""
    now = latest(cluster, activated) + 1
    for acts, long in ((_finish_rollouts, False), (_load_issuer, False), (_grow_old, True)):
        if done := acts(cluster, now):
            return Passed(_with_next_cron_pods(done[0], now), done[1], long)
    renewed = _renew_leaves(cluster, now, activated)
    return Passed(_with_next_cron_pods(renewed[0], now), renewed[1], long=True) if renewed else None


def _with_next_cron_pods(cluster: ModelCluster, now: int) -> ModelCluster:
    """The cluster whose CronJobs have made their next pods; none of those has started yet."""
    pods = (pod._replace(roots=cluster.bundle, made=now) if pod.kind == CRON else pod for pod in cluster.pods)
    return cluster._replace(pods=tuple(pods))


def _finish_rollouts(cluster: ModelCluster, now: int) -> tuple[ModelCluster, str] | None:
    if not cluster.rolling:
        return None
    kind = min(cluster.rolling)
    after = _with_identity(cluster, now) if kind == IDENTITY else _with_pod(cluster, kind, now)
    waits = kind == WEB and not cluster.serves
    rolling = tuple(other for other in cluster.rolling if other != kind)
    return None if waits else (after._replace(rolling=rolling, fresh=True), f"new pods of {kind} are made")


def _with_identity(cluster: ModelCluster, now: int) -> ModelCluster:
    """The cluster with a new linkerd-identity, which starts only with an issuer that it trusts."""
    starts = cluster.issuer in cluster.bundle
    return _with_pod(cluster._replace(using=cluster.issuer, deaf=False), IDENTITY, now, started=starts)


def _with_pod(cluster: ModelCluster, kind: str, now: int, *, started: bool = True) -> ModelCluster:
    """The cluster with new pods of this kind, which take what is there now."""
    new = Pod(kind, cluster.bundle, now, cluster.using if started else "", now if started else 0, started)
    return cluster._replace(pods=tuple(new if pod.kind == kind else pod for pod in cluster.pods))


def _load_issuer(cluster: ModelCluster, now: int) -> tuple[ModelCluster, str] | None:
    if not cluster.identity.started and cluster.issuer in cluster.identity.roots:
        pods = tuple(
            pod._replace(leaf=cluster.issuer, leaf_at=now, started=True) if pod.kind == IDENTITY else pod
            for pod in cluster.pods
        )
        return cluster._replace(using=cluster.issuer, pods=pods, fresh=True), "linkerd-identity starts"
    loads = cluster.issuer != cluster.using and cluster.issuer in cluster.identity.roots and not cluster.deaf
    return (cluster._replace(using=cluster.issuer), "linkerd-identity loads the issuer") if loads else None


def _grow_old(cluster: ModelCluster, now: int) -> tuple[ModelCluster, str] | None:
    return (cluster._replace(fresh=False), "some time passes") if cluster.fresh else None


def _renew_leaves(cluster: ModelCluster, now: int, activated: int) -> tuple[ModelCluster, str] | None:
    """Every leaf is renewed once more: at the latest when most of its lifetime is over."""
    stale = [pod for pod in cluster.pods if pod.started and (pod.leaf != cluster.using or pod.leaf_at <= activated)]
    pods = tuple(pod._replace(leaf=cluster.using, leaf_at=now) if pod.started else pod for pod in cluster.pods)
    return (cluster._replace(pods=pods), "every proxy renews its leaf") if stale and cluster.serves else None
