"""Kubernetes API servers of managed clusters, reached with a managed identity's token.

Rules:
- None is contacted but those of clusters that the allow-list admits, which is asked at each contact.
- Objects go in and out as plain dicts, as the API server sends them. No redirect is followed. If a connection breaks,
  reads and deletes are sent once more (aiohttp, after RFC 9110), changes never.
- Changes are made by server-side apply or by a patch. Both fail rather than overwrite what somebody else owns or has
  changed meanwhile; the error is a TemporaryError (409), and the caller observes again.
- The endpoint of an API server is asked for once, and again after it couldn't be reached; its token when it expires.
  A connection lasts as long as an activity. With a thousand clusters, connections that stay open would exceed what a
  Functions instance may have.
"""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple, Protocol

import aiohttp
import msgspec
import yaml  # type: ignore[import-untyped]

from shared.adapters.kubernetes.errors import Absent, Expired, Unreachable, refusal
from shared.domain.admission import AdmittedCluster, AllowList
from shared.domain.resource_id import ResourceId

FIELD_MANAGER = "meshward"
_TIMEOUT_SECONDS = 10.0  # until there is a connection, and until the next bytes
_FIRST_REFUSAL = 300  # of HTTP's statuses

type Object = dict[str, Any]
type Objects = list[Object]


class Kind(NamedTuple):
    """A kind of objects and where the API serves it."""

    group: str  # API group; empty: the core group
    version: str  # of the group
    kind: str  # as objects name it
    plural: str  # as paths name it
    namespaced: bool = True  # whether its objects belong to a namespace


class Permission(NamedTuple):
    """A verb on objects of a kind."""

    verb: str  # of Kubernetes' RBAC: get, list, patch, …
    kind: Kind  # of the objects
    namespace: str = ""  # empty: in all namespaces
    name: str = ""  # empty: of any name
    subresource: str = ""  # such as `status`; empty: the object itself

    def __str__(self) -> str:
        what = "/".join(filter(None, (self.kind.plural, self.subresource)))
        where = "/".join(filter(None, (self.namespace, self.name)))
        return " ".join(filter(None, (self.verb, f"{what}.{self.kind.group}".rstrip("."), where)))


class _Endpoint(NamedTuple):
    """Where an API server is, and which authority its certificate is of."""

    url: str
    tls: ssl.SSLContext


ACCESS_REVIEW = Kind("authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", False)
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps")
SECRET = Kind("", "v1", "Secret", "secrets")
POD = Kind("", "v1", "Pod", "pods")
SERVICE_ACCOUNT = Kind("", "v1", "ServiceAccount", "serviceaccounts")
VOLUME_CLAIM = Kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims")
NAMESPACE = Kind("", "v1", "Namespace", "namespaces", namespaced=False)
DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments")
REPLICA_SET = Kind("apps", "v1", "ReplicaSet", "replicasets")
DAEMON_SET = Kind("apps", "v1", "DaemonSet", "daemonsets")
STATEFUL_SET = Kind("apps", "v1", "StatefulSet", "statefulsets")
NETWORK_POLICY = Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies")


class ClusterAccess(Protocol):
    """Says where a cluster's API server is and which token it takes."""

    async def kubeconfig(self, cluster: AdmittedCluster) -> str: ...

    async def token(self, cluster: AdmittedCluster) -> str: ...


class Kubernetes:
    """Opens API servers of clusters by their resource ids, as far as the list admits these."""

    def __init__(self, clusters: ClusterAccess, allow_list: Callable[[], Awaitable[AllowList]]) -> None:
        self._clusters, self._allow_list = clusters, allow_list
        self._endpoints: dict[ResourceId, _Endpoint] = {}

    @asynccontextmanager
    async def api(self, resource_id: str, trust_domain: str) -> "AsyncIterator[ClusterApi]":
        """The API server of a cluster that claims this trust domain (empty: none), for the length of one activity."""
        async with self._opened((await self._allow_list()).contactable(trust_domain, resource_id)) as api:
            yield api

    @asynccontextmanager
    async def member_api(self, resource_id: str, trust_domain: str) -> "AsyncIterator[ClusterApi]":
        """The API server of a member of the trust domain, for the length of one activity."""
        async with self._opened((await self._allow_list()).member(trust_domain, resource_id)) as api:
            yield api

    @asynccontextmanager
    async def _opened(self, cluster: AdmittedCluster) -> "AsyncIterator[ClusterApi]":
        token = await self._clusters.token(cluster)
        endpoint = await self._endpoint(cluster)
        async with aiohttp.ClientSession(
            endpoint.url,
            connector=aiohttp.TCPConnector(ssl=endpoint.tls),
            headers={"Authorization": f"Bearer {token}", "User-Agent": FIELD_MANAGER},
            timeout=aiohttp.ClientTimeout(sock_connect=_TIMEOUT_SECONDS, sock_read=_TIMEOUT_SECONDS),
        ) as session:
            try:
                yield ClusterApi(cluster.id.name, session)
            except Unreachable:
                self._endpoints.pop(cluster.id, None)
                raise

    async def _endpoint(self, admitted: AdmittedCluster) -> _Endpoint:
        if endpoint := self._endpoints.get(admitted.id):
            return endpoint
        kubeconfig = yaml.load(await self._clusters.kubeconfig(admitted), yaml.CSafeLoader)
        cluster = kubeconfig["clusters"][0]["cluster"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        tls = ssl.create_default_context(cadata=authority)
        endpoint = self._endpoints[admitted.id] = _Endpoint(cluster["server"].rstrip("/") + "/", tls)
        return endpoint


class ClusterApi:
    """One cluster's API server."""

    def __init__(self, cluster: str, session: aiohttp.ClientSession) -> None:
        self._cluster, self._session = cluster, session

    async def list(
        self,
        kind: Kind,
        *,
        namespace: str | None = None,
        labels: Mapping[str, str | None] | None = None,
        page: int = 500,
    ) -> Objects:
        """The objects of a kind, in one namespace or in all; `labels` they must have (None as value: any value).

        They are read `page` at a time (500 as kubectl does) and show one moment. If the API server forgets that moment
        before the last page (410), they are read again at once, as client-go does.
        """
        selector = ",".join(name if value is None else f"{name}={value}" for name, value in (labels or {}).items())
        query = {"labelSelector": selector} if selector else {}
        try:
            return await self._pages(kind, namespace, {**query, "limit": str(page)})
        except Expired:
            return await self._pages(kind, namespace, query)

    async def _pages(self, kind: Kind, namespace: str | None, query: dict[str, str]) -> Objects:
        found, more = list[Object](), ""
        while True:
            seen = {**query, "continue": more} if more else query
            page = _object(await self._call(f"listing {kind.plural}", "GET", _path(kind, namespace), query=seen))
            found += page["items"]
            more = page["metadata"].get("continue", "")
            if not more:
                return found

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object | None:
        """The object, None if there is none."""
        try:
            return _object(await self._call(f"reading {kind.kind} {name}", "GET", _path(kind, namespace, name)))
        except Absent:
            return None

    async def apply(self, kind: Kind, desired: Object, *, take_over: bool = False) -> Object:
        """Server-side apply as `meshward`; takes fields from other owners only with `take_over`."""
        name, namespace = desired["metadata"]["name"], desired["metadata"].get("namespace")
        force, body = {"force": str(take_over).lower()}, {**_typed(kind), **desired}
        return await self._changed("applying", kind, name, namespace, force, body, "application/apply-patch+yaml")

    async def patch(self, kind: Kind, name: str, namespace: str | None, change: Object) -> Object:
        """Merge-patch; with `metadata.resourceVersion` in it only if nobody has changed the object since."""
        return await self._changed("patching", kind, name, namespace, {}, change, "application/merge-patch+json")

    async def _changed(
        self, doing: str, kind: Kind, name: str, namespace: str | None, query: dict[str, str], body: Object, media: str
    ) -> Object:
        path, query = _path(kind, namespace, name), {"fieldManager": FIELD_MANAGER, **query}
        doing = f"{doing} {kind.kind} {name}"
        return _object(await self._call(doing, "PATCH", path, query=query, body=body, media=media))

    async def delete(self, kind: Kind, name: str, namespace: str | None = None) -> None:
        """Delete the object and what it owns; nothing happens if there is none."""
        with suppress(Absent):
            await self._call(f"deleting {kind.kind} {name}", "DELETE", _path(kind, namespace, name))

    async def is_permitted(self, permission: Permission) -> bool:
        """Whether the caller may do it; admission policies aren't asked before it is done."""
        attributes = {
            "verb": permission.verb,
            "group": permission.kind.group,
            "resource": permission.kind.plural,
            "subresource": permission.subresource,
            "namespace": permission.namespace,
            "name": permission.name,
        }
        body = {**_typed(ACCESS_REVIEW), "spec": {"resourceAttributes": attributes}}
        doing = f"asking whether it may {permission}"
        review = _object(await self._call(doing, "POST", _path(ACCESS_REVIEW), body=body))
        return bool(review["status"]["allowed"])

    async def missing(self, *needed: Permission) -> tuple[str, ...]:
        """What of this the caller may not do, such as `patch deployments.apps`."""
        permitted = await asyncio.gather(*map(self.is_permitted, needed))
        return tuple(str(permission) for permission, yes in zip(needed, permitted, strict=True) if not yes)

    async def metrics(self, pod: str, namespace: str, port: int) -> str:
        """A pod's /metrics, read through the API server."""
        path = f"{_path(POD, namespace, pod)}:{port}/proxy/metrics"
        return (await self._call(f"reading the metrics of pod {namespace}/{pod}", "GET", path)).decode()

    async def _call(
        self,
        doing: str,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        media: str = "application/json",
    ) -> bytes:
        data = None if body is None else msgspec.json.encode(body)
        headers = {"Accept": "*/*"} if body is None else {"Content-Type": media}
        try:
            async with self._session.request(
                method, path, params=query, headers=headers, data=data, allow_redirects=False
            ) as answer:
                content = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unreachable(f"{doing} in {self._cluster}: {type(error).__name__}") from error
        if answer.status >= _FIRST_REFUSAL:
            raise refusal(answer, content, f"{doing} in {self._cluster}")
        return content


def _object(content: bytes) -> Object:
    return msgspec.json.decode(content, type=dict)


def _path(kind: Kind, namespace: str | None = None, name: str = "") -> str:
    served = f"apis/{kind.group}/{kind.version}" if kind.group else f"api/{kind.version}"
    within = f"namespaces/{namespace}" if namespace and kind.namespaced else ""
    return "/".join(filter(None, (served, within, kind.plural, name)))


def _typed(kind: Kind) -> Object:
    return {"apiVersion": f"{kind.group}/{kind.version}".lstrip("/"), "kind": kind.kind}
