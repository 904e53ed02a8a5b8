"""A cluster of the model as the app's activities see it: the calls of `shared.adapters.meshes.linkerd`, without a wire.

Each write is noted with what it changed (`Act`), as the promises are about what the app does.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from local.explorer.cluster import BARE, CRON, IDENTITY, WEB, ModelCluster, Pod, latest
from local.explorer.roots import BEGIN, TRUST_DOMAIN, WorldCertificates
from shared.domain.trust.linkerd.facts import Bundle, IdentityPod, IssuerSecret, MeshConfig, Proxy, Workload
from shared.domain.trust.linkerd.owners import digest

RANK, LONG_AGO = timedelta(seconds=20), timedelta(minutes=20)
_DAYS_AHEAD = timedelta(days=3)
_DEPLOYMENTS = {IDENTITY: ("linkerd", "linkerd-identity"), WEB: ("shop", "web")}
_CONTROLLERS = {IDENTITY: "Deployment", WEB: "Deployment", BARE: "", CRON: "Job"}


class Act(NamedTuple):
    """What the app did to a cluster."""

    word: str
    before: ModelCluster
    after: ModelCluster


class ModelMesh:
    """The mesh of one cluster for the length of an activity."""

    def __init__(self, cluster: ModelCluster, activated: int, known: WorldCertificates) -> None:
        self.cluster, self.acts, self._known = cluster, list[Act](), known
        self._next = latest(cluster, activated) + 1

    @property
    def now(self) -> datetime:
        """The present."""
        return at(self._next)

    def moment(self, rank: int) -> datetime:
        """The moment of this rank: seconds ago, or longer where nothing is fresh."""
        return at(rank) - (timedelta() if self.cluster.fresh or rank >= self._next else LONG_AGO)

    async def missing_permissions(self) -> list[str]:
        return []

    async def links(self) -> list[str]:
        return []

    async def config(self) -> MeshConfig:
        return MeshConfig(
            version="edge-26.8.3",
            external_ca=True,
            issuer_scheme="kubernetes.io/tls",
            trust_domain=TRUST_DOMAIN,
            leaf_lifetime=timedelta(hours=24),
        )

    async def bundle(self) -> Bundle:
        pem, written = self._known.bundles[self.cluster.bundle], self.cluster.bundle_at
        sha256 = digest(pem) if written else ""
        return Bundle(pem=pem, written_at=self.moment(written) if written else None, written_sha256=sha256, owner="")

    async def write_bundle(self, old: Bundle, pem: str, now: datetime) -> None:
        letters = self._known.letters[pem]
        self._act(f"writes the bundle {shown(letters)}", bundle=letters, bundle_at=self._next)

    async def issuer(self) -> IssuerSecret:
        seen = self.cluster
        beside = self._known.bundles.get(seen.beside, "")
        pem = self._known.issuer_pems[seen.issuer]
        return IssuerSecret(
            certificate=pem,
            holds_key=True,
            bundle=beside,
            resource_version="",
            written_at=self.moment(seen.issuer_at) if seen.issuer_at else None,
            written_sha256=digest(pem) if seen.issuer_at else "",
            bundle_sha256=digest(beside) if seen.marked else "",
            owner="",
        )

    async def write_issuer(self, old: IssuerSecret, *, certificate: str, key: str, bundle: str, now: datetime) -> None:
        letter = self._known.letters[certificate]
        beside = self._known.letters[bundle]
        self._act(f"writes an issuer of the {shown(letter)} root", issuer=letter, issuer_at=self._next, beside=beside)

    async def write_issuer_bundle(self, old: IssuerSecret, bundle: str) -> None:
        self._act("writes the copy of the bundle", beside=self._known.letters[bundle], marked=True)

    async def proxies(self) -> list[Proxy]:
        return [self._proxy(pod) for pod in self.cluster.pods]

    async def pod_proxies(self) -> list[Proxy]:
        return await self.proxies()

    async def workloads(self) -> list[Workload]:
        return [self._workload(kind) for kind in _DEPLOYMENTS]

    async def restart(self, workload: Workload, now: datetime) -> None:
        kind = next(kind for kind, names in _DEPLOYMENTS.items() if names == (workload.namespace, workload.name))
        restarted = {**dict(self.cluster.restarted), kind: self._next}
        rolling, ahead = tuple(sorted({*self.cluster.rolling, kind})), self.cluster.ahead and kind != WEB
        self._act(f"restarts {kind}", rolling=rolling, restarted=tuple(sorted(restarted.items())), ahead=ahead)

    async def identity_pods(self, now: datetime) -> list[IdentityPod]:
        seen, pod = self.cluster, self.cluster.identity
        expires_at = self._known.issuers[seen.using].not_valid_after_utc
        return [
            IdentityPod(
                pod=f"linkerd/{pod.kind}",
                created_at=self.moment(pod.made),
                ready=seen.serves,
                issuer_expires_at=expires_at,
            )
        ]

    async def leaves_refreshed_at(self, proxies: Sequence[Proxy], lifetime: timedelta) -> dict[str, datetime | None]:
        found = {pod.kind: self.moment(pod.leaf_at) if pod.started else None for pod in self.cluster.pods}
        return {proxy.id: found[proxy.pod] for proxy in proxies}

    def _act(self, word: str, **changes: object) -> None:
        before = self.cluster
        self.cluster = before._replace(fresh=True, **changes)  # type: ignore[arg-type]
        self.acts.append(Act(word, before, self.cluster))

    def _proxy(self, pod: Pod) -> Proxy:
        namespace, name = _DEPLOYMENTS.get(pod.kind, ("shop", ""))
        return Proxy(
            namespace=namespace,
            pod=pod.kind,
            workload=f"Deployment/{namespace}/{name}" if name else "",
            controller=_CONTROLLERS[pod.kind],
            created_at=self.moment(pod.made),
            started_at=self.moment(pod.made) + RANK / 4 if pod.started else None,
            roots=None if pod.kind == IDENTITY else self._known.of(pod.roots),
        )

    def _workload(self, kind: str) -> Workload:
        namespace, name = _DEPLOYMENTS[kind]
        rolling = kind in self.cluster.rolling
        return Workload(
            kind="Deployment",
            namespace=namespace,
            name=name,
            replicas=1,
            resource_version="",
            rolling=rolling,
            replaced=not rolling,
            stuck=False,
            obstacle="",
            restarted_at=self._restarted_at(kind),
        )

    def _restarted_at(self, kind: str) -> datetime | None:
        if kind == WEB and self.cluster.ahead:
            return self.now + _DAYS_AHEAD
        rank = dict(self.cluster.restarted).get(kind)
        return self.moment(rank) if rank else None


def at(rank: int) -> datetime:
    """The moment of this rank."""
    return BEGIN + rank * RANK


def rank_of(moment: datetime) -> int:
    """The rank of a moment; one between two ranks is of the later."""
    return -((BEGIN - moment) // RANK)


def shown(letters: str) -> str:
    """Letters of roots in words."""
    return {"O": "old", "N": "new", "ON": "of both roots", "": "no"}[letters]
