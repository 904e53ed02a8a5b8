"""Linkerd through a cluster's API server: what a rotation looks at, and the few things that it changes.

In external CA mode Meshward may write the bundle and the issuer (Linkerd docs, external certificate management). It
annotates each with the time of writing, which tells older pods from newer ones, and with the SHA-256 of what it wrote,
which tells whether somebody else has changed it since. Lists are read one after another, over one connection.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from shared.adapters.kubernetes.api import ClusterApi, Kubernetes
from shared.adapters.kubernetes.errors import Absent, Forbidden, OutOfBounds
from shared.adapters.kubernetes.kinds import CONFIG_MAP, POD, REPLICA_SET, ROLLOUT, SECRET, Kind, Object, Permission
from shared.adapters.kubernetes.owners import owner
from shared.adapters.meshes import linkerd_objects as objects
from shared.domain.errors import PermanentError, TemporaryError
from shared.domain.trust.linkerd.certificates import is_key_of
from shared.domain.trust.linkerd.facts import Bundle, IdentityPod, IssuerSecret, MeshConfig, Proxy, Workload
from shared.domain.trust.linkerd.owners import digest

NAMESPACE = "linkerd"
_MESHED = {"linkerd.io/control-plane-ns": NAMESPACE}
_IDENTITY = {"linkerd.io/control-plane-component": "identity"}
_TRUST_ROOTS, _ISSUER = "linkerd-identity-trust-roots", "linkerd-identity-issuer"
_ISSUER_FIELDS = ("tls.crt", "tls.key", "ca.crt")  # of the issuer's Secret
_PROXY_ADMIN, _IDENTITY_ADMIN = 4191, 9990
_WRITTEN_AT, _WRITTEN_SHA256 = "meshward/applied-at", "meshward/applied-sha256"
_BUNDLE_SHA256 = "meshward/bundle-sha256"
_CONCURRENT_READS = 4
LINK = Kind("multicluster.linkerd.io", "v1alpha1", "Link", "links")  # the one version that every release serves
MACHINE = Kind("workload.linkerd.io", "v1beta1", "ExternalWorkload", "externalworkloads")
_RESTARTED = [kind for kind in objects.KINDS.values() if kind is not ROLLOUT]  # which not every cluster has
_PERMISSIONS = [
    Permission("get", CONFIG_MAP, NAMESPACE, "linkerd-config"),
    *(Permission(verb, CONFIG_MAP, NAMESPACE, _TRUST_ROOTS) for verb in ("get", "patch")),
    *(Permission(verb, SECRET, NAMESPACE, _ISSUER) for verb in ("get", "patch")),
    *(Permission("list", kind) for kind in (POD, REPLICA_SET, LINK, MACHINE, *_RESTARTED)),
    *(Permission("patch", kind) for kind in _RESTARTED),
    Permission("get", POD, subresource="proxy"),
]


def _decoded(text: str) -> str:
    """What a field of a Secret holds; empty for what is no text, as that is no certificate either."""
    try:
        return base64.b64decode(text).decode()
    except ValueError:
        return ""


class Linkerd:
    """Opens the mesh of a cluster."""

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._kubernetes = kubernetes

    @asynccontextmanager
    async def mesh(self, resource_id: str, trust_domain: str) -> "AsyncIterator[LinkerdMesh]":
        """The mesh of a member of the trust domain, for the length of one activity."""
        async with self._kubernetes.member_api(resource_id, trust_domain) as api:
            yield LinkerdMesh(api)


class LinkerdMesh:
    """The Linkerd of one cluster."""

    def __init__(self, api: ClusterApi) -> None:
        self._api = api

    async def missing_permissions(self) -> list[str]:
        """What a rotation does and isn't permitted here, such as `patch deployments.apps`."""
        return list(await self._api.missing(*_PERMISSIONS))

    async def config(self) -> MeshConfig | None:
        """How Linkerd was installed, None if it isn't."""
        found = await self._api.get(CONFIG_MAP, "linkerd-config", NAMESPACE)
        return objects.config((found.get("data") or {}).get("values", "")) if found else None

    async def bundle(self) -> Bundle:
        """The bundle; raises PermanentError if there is none."""
        found = await self._api.get(CONFIG_MAP, _TRUST_ROOTS, NAMESPACE)
        if found is None:
            raise PermanentError("NoBundle", f"there is no ConfigMap {NAMESPACE}/{_TRUST_ROOTS}")
        pem = (found.get("data") or {}).get("ca-bundle.crt", "")
        return Bundle(
            pem=pem,
            resource_version=found["metadata"]["resourceVersion"],
            written_at=objects.moment_in(found, _WRITTEN_AT),
            written_sha256=objects.annotation(found, _WRITTEN_SHA256),
            owner=owner(found, "f:data", "f:ca-bundle.crt"),
        )

    async def write_bundle(self, old: Bundle, pem: str, now: datetime) -> None:
        """Make this the bundle, also where it was written by hand, unless it has changed since."""
        metadata = {
            "name": _TRUST_ROOTS,
            "namespace": NAMESPACE,
            "resourceVersion": old.resource_version,
            "annotations": {_WRITTEN_AT: now.isoformat(), _WRITTEN_SHA256: digest(pem)},
        }
        await self._api.apply(CONFIG_MAP, {"metadata": metadata, "data": {"ca-bundle.crt": pem}}, take_over=True)

    async def issuer(self) -> IssuerSecret:
        """The issuer's certificate and what else is known of its Secret; the private key stays where it is."""
        found = await self._api.get(SECRET, _ISSUER, NAMESPACE)
        if found is None:
            raise PermanentError("NoIssuer", f"there is no Secret {NAMESPACE}/{_ISSUER}")
        data = {name: _decoded(text) for name, text in (found.get("data") or {}).items() if name in _ISSUER_FIELDS}
        certificate = data.get("tls.crt", "")
        return IssuerSecret(
            certificate=certificate,
            holds_key=is_key_of(data.get("tls.key", ""), certificate),
            bundle=data.get("ca.crt", ""),
            resource_version=found["metadata"]["resourceVersion"],
            written_at=objects.moment_in(found, _WRITTEN_AT),
            written_sha256=objects.annotation(found, _WRITTEN_SHA256),
            bundle_sha256=objects.annotation(found, _BUNDLE_SHA256),
            owner=owner(found, "f:data", "f:tls.crt"),
        )

    async def write_issuer(self, old: IssuerSecret, *, certificate: str, key: str, bundle: str, now: datetime) -> None:
        """Replace the issuer, unless somebody has changed its Secret since it was seen."""
        annotations = {_WRITTEN_AT: now.isoformat(), _WRITTEN_SHA256: digest(certificate)}
        await self._patch_issuer(old, {"tls.crt": certificate, "tls.key": key, "ca.crt": bundle}, annotations)

    async def write_issuer_bundle(self, old: IssuerSecret, bundle: str) -> None:
        """Put the bundle that was written beside the issuer, unless somebody has changed the Secret since."""
        await self._patch_issuer(old, {"ca.crt": bundle}, {_BUNDLE_SHA256: digest(bundle)})

    async def _patch_issuer(self, old: IssuerSecret, data: dict[str, str], annotations: dict[str, str]) -> None:
        metadata = {"resourceVersion": old.resource_version, "annotations": annotations}
        encoded = {name: base64.b64encode(text.encode()).decode() for name, text in data.items()}
        await self._api.patch(SECRET, _ISSUER, NAMESPACE, {"metadata": metadata, "data": encoded})

    async def proxies(self) -> list[Proxy]:
        """Every live proxy of the cluster, and those of the machines outside that take part in its mesh."""
        return [*await self.pod_proxies(), *(objects.machine(found) for found in await self._listed(MACHINE))]

    async def pod_proxies(self) -> list[Proxy]:
        """Every live proxy of the cluster's pods: all that a restart could replace."""
        pods = [pod for pod in await self._api.list(POD, labels=_MESHED) if objects.has_live_proxy(pod)]
        owners = await self._api.list(REPLICA_SET) if any(map(objects.needs_owner, pods)) else []
        controllers = {(o["metadata"]["namespace"], o["metadata"]["name"]): objects.controller(o) for o in owners}
        return [objects.proxy(pod, controllers) for pod in pods]

    async def workloads(self) -> list[Workload]:
        """Everything that can be restarted, meshed or not."""
        listed = {kind: await self._of_kind(kind) for kind in objects.KINDS.values()}
        return [objects.workload(kind, item) for kind, items in listed.items() for item in items]

    async def _of_kind(self, kind: Kind) -> list[Object]:
        """The workloads of a kind. Not every cluster has Rollouts, nor says so where their role wasn't applied."""
        try:
            return await (self._listed(kind) if kind is ROLLOUT else self._api.list(kind))
        except Forbidden:
            if kind is ROLLOUT:
                return []
            raise

    async def restart(self, workload: Workload, now: datetime) -> None:
        """Restart as `kubectl rollout restart` does, unless somebody has changed the workload since it was seen."""
        kind = objects.KINDS[workload.kind]
        change = {"metadata": {"resourceVersion": workload.resource_version}, "spec": objects.restart(kind, now)}
        await self._api.patch(kind, workload.name, workload.namespace, change)

    async def identity_pods(self, now: datetime) -> list[IdentityPod]:
        """The identity controller's live pods with the issuer that each reports."""
        pods = [p for p in await self._api.list(POD, namespace=NAMESPACE, labels=_IDENTITY) if objects.is_live(p)]
        names = [(NAMESPACE, str(p["metadata"]["name"])) for p in pods]
        metrics = await self._metrics(names, _IDENTITY_ADMIN)
        return [objects.identity_pod(pod, values, now) for pod, values in zip(pods, metrics, strict=True)]

    async def leaves_refreshed_at(self, proxies: Sequence[Proxy], lifetime: timedelta) -> dict[str, datetime | None]:
        """When each proxy last got a leaf, by `namespace/pod`; None where that can't be read."""
        found = await self._metrics([(p.namespace, p.pod) for p in proxies], _PROXY_ADMIN)
        return {
            p.id: objects.leaf_refreshed_at(values or {}, lifetime) for p, values in zip(proxies, found, strict=True)
        }

    async def links(self) -> list[str]:
        """Linkerd's names of the clusters that this one is linked to."""
        return [str(link["spec"]["targetClusterName"]) for link in await self._listed(LINK)]

    async def _listed(self, kind: Kind) -> list[Object]:
        """The objects of a kind that not every mesh has."""
        try:
            return await self._api.list(kind)
        except Absent:
            return []

    async def _metrics(self, pods: Sequence[tuple[str, str]], port: int) -> list[dict[str, float] | None]:
        slots = asyncio.Semaphore(_CONCURRENT_READS)

        async def read(namespace: str, pod: str) -> dict[str, float] | None:
            async with slots:
                try:
                    return objects.samples(await self._api.metrics(pod, namespace, port))
                except Forbidden:
                    raise
                except (TemporaryError, OutOfBounds):  # gone, or not able to tell yet: a fact, not a fault
                    return None

        return await asyncio.gather(*(read(*pod) for pod in pods))
