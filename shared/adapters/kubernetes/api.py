"""Kubernetes API servers of managed clusters, reached with a managed identity's token.

Rules:
- None is contacted but those of clusters that the allow-list admits, which is asked at each contact.
- Objects go in and out as plain dicts, as the API server sends them. No redirect is followed. If a connection breaks,
  reads and deletes are sent once more (aiohttp, after RFC 9110), changes never.
- Changes are made by server-side apply or by a patch, and what must be new by a POST. They fail rather than overwrite
  what somebody else owns or has changed meanwhile; the error is a TemporaryError (409), and the caller observes again.
- The endpoint of an API server is asked for once, and again after it couldn't be reached; its token when it expires.
  The token goes only to a server that Resource Manager says is the cluster's (`endpoints`).
- What a cluster answers is read in bounds (`bounds`): of bytes, of pages and of time.
  A connection lasts as long as an activity. With a thousand clusters, connections that stay open would exceed what a
  Functions instance may have.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol, TypedDict, Unpack

import aiohttp
import msgspec
from yarl import URL

from shared.adapters.kubernetes.bounds import Bounds, content_of
from shared.adapters.kubernetes.endpoints import Endpoint, endpoint_of
from shared.adapters.kubernetes.errors import Absent, Expired, Forbidden, OutOfBounds, Unreachable, Untrusted, refusal
from shared.adapters.kubernetes.kinds import ACCESS_REVIEW, POD, SECRET, Kind, Object, Objects, Permission
from shared.domain.admission import AdmittedCluster, AllowList
from shared.domain.errors import PermanentError, shown
from shared.domain.resource_id import ResourceId

FIELD_MANAGER = "meshward"
_TIMEOUT_SECONDS = 10.0  # until there is a connection, and until the next bytes
_FIRST_REFUSAL = 300  # of HTTP's statuses
_SEGMENT = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._:-]{1,320}", re.ASCII)  # of a path; Kubernetes' names are shorter


class _Page(msgspec.Struct):
    """A page of a list."""

    class Metadata(msgspec.Struct):
        """Where it goes on."""

        token: str = msgspec.field(default="", name="continue")

    items: Objects | None
    metadata: Metadata


class _Sent(TypedDict, total=False):
    """What goes out with a call."""

    query: Mapping[str, str]
    body: Object
    media: str


class ClusterAccess(Protocol):
    """Says where a cluster's API server is and which token it takes."""

    async def hosts(self, cluster: AdmittedCluster) -> frozenset[str]: ...

    async def kubeconfig(self, cluster: AdmittedCluster) -> str: ...

    async def token(self, cluster: AdmittedCluster) -> str: ...


class Kubernetes:
    """Opens API servers of clusters by their resource ids, as far as the list admits these."""

    def __init__(
        self,
        clusters: ClusterAccess,
        allow_list: Callable[[], Awaitable[AllowList]],
        bounds: Bounds = Bounds(),  # noqa: B008  # it never changes
    ) -> None:
        self._clusters, self._allow_list, self._bounds = clusters, allow_list, bounds
        self._endpoints: dict[ResourceId, Endpoint] = {}

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
        endpoint, name = await self._endpoint(cluster), cluster.id.name
        token = await self._clusters.token(cluster)
        try:
            async with asyncio.timeout(self._bounds.visit), self._session(endpoint, token) as session:
                yield ClusterApi(name, session, self._bounds)
        except Unreachable:
            self._endpoints.pop(cluster.id, None)
            raise
        except TimeoutError as error:
            raise Unreachable(f"{name} didn't answer all in {self._bounds.visit:.0f} seconds") from error

    def _session(self, endpoint: Endpoint, token: str) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            endpoint.url,
            connector=aiohttp.TCPConnector(ssl=endpoint.tls),
            headers={"Authorization": f"Bearer {token}", "User-Agent": FIELD_MANAGER, "Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(
                total=self._bounds.call, sock_connect=_TIMEOUT_SECONDS, sock_read=_TIMEOUT_SECONDS
            ),
            auto_decompress=False,
        )

    async def _endpoint(self, cluster: AdmittedCluster) -> Endpoint:
        if endpoint := self._endpoints.get(cluster.id):
            return endpoint
        kubeconfig, hosts = await self._clusters.kubeconfig(cluster), await self._clusters.hosts(cluster)
        endpoint = self._endpoints[cluster.id] = endpoint_of(cluster.id.name, kubeconfig, hosts)
        return endpoint


class ClusterApi:
    """One cluster's API server."""

    def __init__(self, cluster: str, session: aiohttp.ClientSession, bounds: Bounds) -> None:
        self._cluster, self._session, self._bounds = cluster, session, bounds

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
        doing, left = f"listing {kind.plural}", self._bounds.listed
        found, more = list[Object](), ""
        for _ in range(self._bounds.pages):
            seen, most = {**query, "continue": more} if more else query, min(left, self._bounds.answer)
            content = await self._call(doing, "GET", _path(kind, namespace), query=seen, most=most)
            page = self._read(doing, content, _Page)
            found, left, last = found + (page.items or []), left - len(content), more
            more = page.metadata.token
            if not more:
                return found
            if more == last:
                break
        raise OutOfBounds(f"{doing} in {self._cluster}: the list goes on without an end")

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object | None:
        """The object, None if there is none."""
        try:
            return await self._object(f"reading {kind.kind} {name}", "GET", _path(kind, namespace, name))
        except Absent:
            return None

    async def apply(self, kind: Kind, desired: Object, *, take_over: bool = False) -> Object:
        """Server-side apply as `meshward`; takes fields from other owners only with `take_over`."""
        name, namespace = desired["metadata"]["name"], desired["metadata"].get("namespace")
        force, body = {"force": str(take_over).lower()}, {**_typed(kind), **desired}
        return await self._changed("applying", kind, name, namespace, force, body, "application/apply-patch+yaml")

    async def create(self, kind: Kind, desired: Object) -> Object:
        """Make the object; raises Exists where there is one of that name."""
        return self._read(f"creating {kind.kind}", await self._posted(kind, desired, {}), dict[str, Any])

    async def refused(self, kind: Kind, desired: Object) -> str:
        """What the API server has against making this object, which isn't made; empty if nothing."""
        try:
            await self._posted(kind, desired, {"dryRun": "All"})
        except (Forbidden, PermanentError) as error:
            return error.message
        return ""

    async def _posted(self, kind: Kind, desired: Object, query: dict[str, str]) -> bytes:
        path, doing = _path(kind, desired["metadata"].get("namespace")), f"creating {kind.kind}"
        query, body = {"fieldManager": FIELD_MANAGER, **query}, {**_typed(kind), **desired}
        return await self._call(f"{doing} {desired['metadata']['name']}", "POST", path, query=query, body=body)

    async def patch(self, kind: Kind, name: str, namespace: str | None, change: Object) -> Object:
        """Merge-patch; with `metadata.resourceVersion` in it only if nobody has changed the object since."""
        return await self._changed("patching", kind, name, namespace, {}, change, "application/merge-patch+json")

    async def _changed(
        self, doing: str, kind: Kind, name: str, namespace: str | None, query: dict[str, str], body: Object, media: str
    ) -> Object:
        path, query = _path(kind, namespace, name), {"fieldManager": FIELD_MANAGER, **query}
        doing = f"{doing} {kind.kind} {name}"
        return await self._object(doing, "PATCH", path, query=query, body=body, media=media)

    async def delete(self, kind: Kind, name: str, namespace: str | None = None, *, uid: str = "") -> None:
        """Delete the object and what it owns; nothing happens if there is none. With a `uid` no other of that name is
        deleted: the error is a TemporaryError (409).
        """
        body = {"preconditions": {"uid": uid}} if uid else None
        with suppress(Absent):
            await self._call(f"deleting {kind.kind} {name}", "DELETE", _path(kind, namespace, name), body=body)

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
        review = await self._object(doing, "POST", _path(ACCESS_REVIEW), body=body)
        return review.get("status", {}).get("allowed") is True

    async def missing(self, *needed: Permission) -> tuple[str, ...]:
        """What of this the caller may not do, such as `patch deployments.apps`."""
        permitted = await asyncio.gather(*map(self.is_permitted, needed))
        return tuple(str(permission) for permission, yes in zip(needed, permitted, strict=True) if not yes)

    async def metrics(self, pod: str, namespace: str, port: int) -> str:
        """A pod's /metrics, read through the API server."""
        path = f"{_path(POD, namespace, f'{pod}:{port}')}/proxy/metrics"
        doing = f"reading the metrics of pod {namespace}/{pod}"
        return (await self._call(doing, "GET", path, most=self._bounds.metrics)).decode(errors="replace")

    async def _object(self, doing: str, method: str, path: str, **sent: Unpack[_Sent]) -> Object:
        return self._read(doing, await self._call(doing, method, path, **sent), dict[str, Any])

    def _read[T](self, doing: str, content: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(content, type=kind)
        except (msgspec.MsgspecError, RecursionError) as error:
            why = shown(str(error))
            raise OutOfBounds(
                f"{doing} in {self._cluster}: the answer isn't of the form it should be: {why}"
            ) from error

    async def _call(
        self,
        doing: str,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        media: str = "application/json",
        most: int | None = None,
    ) -> bytes:
        data = None if body is None else msgspec.json.encode(body)
        headers = {"Accept": "*/*"} if body is None else {"Content-Type": media}
        doing = f"{shown(doing)} in {self._cluster}"
        try:
            async with self._session.request(
                method, URL(path, encoded=True), params=query, headers=headers, data=data, allow_redirects=False
            ) as answer:
                content = await content_of(answer, self._bounds.answer if most is None else most, doing)
        except aiohttp.ClientConnectorCertificateError as error:
            raise Untrusted(f"{doing} in {self._cluster}: {shown(str(error.certificate_error))}") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unreachable(f"{doing}: {type(error).__name__}") from error
        if answer.status >= _FIRST_REFUSAL:
            raise refusal(answer, content, doing, secret=f"/{SECRET.plural}" in path)
        return content


def _path(kind: Kind, namespace: str | None = None, name: str = "") -> str:
    """The path of objects, segment by segment; raises PermanentError for a name that is none of one segment."""
    served = ["apis", kind.group, kind.version] if kind.group else ["api", kind.version]
    within = ["namespaces", namespace] if namespace and kind.namespaced else []
    segments = [*served, *within, kind.plural, *([name] if name else [])]
    for segment in segments:
        if not _SEGMENT.fullmatch(segment):
            raise PermanentError("NotAName", f"{shown(segment)} isn't the name of an object of Kubernetes")
    return "/".join(segments)


def _typed(kind: Kind) -> Object:
    return {"apiVersion": f"{kind.group}/{kind.version}".lstrip("/"), "kind": kind.kind}
