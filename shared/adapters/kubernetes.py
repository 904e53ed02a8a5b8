"""Kubernetes API servers of managed clusters, reached with a managed identity's token.

Rules:
- Objects go in and out as plain dicts, as the API server sends them.
- Changes are made by server-side apply or by a patch; both fail rather than overwrite what somebody else owns or has
  changed meanwhile, and say so as TemporaryError (409) for whoever observes again.
- The way to an API server is asked for again after some minutes, its token whenever it runs out. Connections last as
  long as an activity: at a thousand clusters, kept ones would fill what a Functions instance may have open.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.adapters.clusters import Clusters
from shared.domain.cluster import cluster_id
from shared.domain.errors import PermanentError, TemporaryError

if TYPE_CHECKING:
    import ssl

    import httpx2
    from azure.core.credentials_async import AsyncTokenCredential
    from lightkube import AsyncClient
    from lightkube.config.kubeconfig import SingleConfig

FIELD_MANAGER = "meshward"
_AUDIENCE = "6dae42f8-4368-4678-94ff-3960e28e3630/.default"  # Azure Kubernetes Service in every tenant
_WAY_SECONDS = 300

type Object = dict[str, Any]


class Kind(NamedTuple):
    """A kind of objects and where the API serves it."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True


class Permission(NamedTuple):
    """A verb on objects of a kind, or on what is `below` them; in all namespaces unless it names one."""

    verb: str
    kind: Kind
    namespace: str = ""
    name: str = ""
    below: str = ""

    def __str__(self) -> str:
        what = "/".join(filter(None, (self.kind.plural, self.below)))
        where = "/".join(filter(None, (self.namespace, self.name)))
        return " ".join(filter(None, (self.verb, f"{what}.{self.kind.group}".rstrip("."), where)))


class _Way(NamedTuple):
    """How an API server is reached, until when (Unix seconds) without asking again."""

    until: float
    config: "SingleConfig"
    trust: "ssl.SSLContext"


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


class Kubernetes:
    """Opens API servers of clusters by their resource ids."""

    def __init__(self, clusters: Clusters, credential: "AsyncTokenCredential") -> None:
        self._clusters, self._credential = clusters, credential
        self._ways: dict[str, _Way] = {}

    @asynccontextmanager
    async def api(self, resource_id: str) -> "AsyncIterator[ClusterApi]":
        """The cluster's API server, for the length of one activity."""
        import httpx2
        from lightkube import AsyncClient
        from lightkube.config.models import User

        from shared.adapters.azure import translated

        name = cluster_id(resource_id).name
        with translated(f"getting a token for cluster {name}"):
            token = (await self._credential.get_token(_AUDIENCE)).token
        _, config, trust = await self._way(resource_id)
        config = config._replace(user=User(token=token))
        transport = httpx2.AsyncHTTPTransport(verify=trust)
        async with AsyncClient(config, transport=transport, field_manager=FIELD_MANAGER, trust_env=False) as client:
            web = httpx2.AsyncClient(
                base_url=config.cluster.server,
                transport=transport,
                headers={"Authorization": f"Bearer {token}"},
                timeout=10,
            )
            yield ClusterApi(name, client, web)

    async def _way(self, resource_id: str) -> _Way:
        import yaml  # type: ignore[import-untyped]
        from lightkube.config.client_adapter import verify_cluster
        from lightkube.config.kubeconfig import KubeConfig
        from lightkube.config.models import User

        known = self._ways.get(resource_id)
        if known and time.time() < known.until:
            return known
        kubeconfig = yaml.load(await self._clusters.kubeconfig(resource_id), yaml.CSafeLoader)
        config = KubeConfig.from_dict(kubeconfig).get()
        assert config is not None
        trust = verify_cluster(config.cluster, User(), config.abs_file, trust_env=False)
        way = self._ways[resource_id] = _Way(time.time() + _WAY_SECONDS, config, trust)
        return way


class ClusterApi:
    """One cluster's API server."""

    def __init__(self, cluster: str, client: "AsyncClient", web: "httpx2.AsyncClient") -> None:
        self._cluster, self._client, self._web = cluster, client, web

    async def list(
        self, kind: Kind, *, namespace: str | None = None, labels: dict[str, Any] | None = None, page: int = 500
    ) -> list[Object]:
        """The objects of a kind, in one namespace or in all; `labels` they must have (None as value: any value).

        They are read `page` at a time (500 as kubectl does) and show one moment. If the API server forgets that moment
        before the last page (410), they are read again at once, as client-go does.
        """
        import httpx2

        async def read(size: int | None) -> list[Object]:
            where: Any = (namespace or "*") if kind.namespaced else None
            found = self._client.list(_resource(kind), namespace=where, labels=labels, chunk_size=size)
            return [dict(item) async for item in found]

        with self._errors(f"listing {kind.plural}"):
            try:
                return await read(page)
            except httpx2.HTTPStatusError as error:
                if error.response.status_code != 410:
                    raise
            return await read(None)

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object | None:
        """The object, None if there is none."""
        with self._errors(f"reading {kind.kind} {name}"), self._absent_is_none():
            return dict(await self._client.get(_resource(kind), name, namespace=namespace))
        return None

    async def apply(self, kind: Kind, wanted: Object, *, take_over: bool = False) -> Object:
        """Server-side apply as `meshward`; takes fields from other owners only if told to."""
        name = wanted["metadata"]["name"]
        body = {"apiVersion": f"{kind.group}/{kind.version}".lstrip("/"), "kind": kind.kind, **wanted}
        with self._errors(f"applying {kind.kind} {name}"):
            return dict(await self._client.apply(_resource(kind)(body), force=take_over))

    async def patch(self, kind: Kind, name: str, namespace: str | None, change: Object) -> Object:
        """Merge-patch; with `metadata.resourceVersion` in it only if nobody has changed the object since."""
        from lightkube.types import PatchType

        with self._errors(f"patching {kind.kind} {name}"):
            resource = _resource(kind)
            return dict(
                await self._client.patch(resource, name, change, namespace=namespace, patch_type=PatchType.MERGE)
            )

    async def delete(self, kind: Kind, name: str, namespace: str | None = None) -> None:
        """Delete the object and what it owns; nothing happens if there is none."""
        with self._errors(f"deleting {kind.kind} {name}"), self._absent_is_none():
            await self._client.delete(_resource(kind), name, namespace=namespace)

    async def may(self, wanted: Permission) -> bool:
        """Whether the caller may do it, by all that judges that; admission policies are asked only when it is done."""
        attributes = {
            "verb": wanted.verb,
            "group": wanted.kind.group,
            "resource": wanted.kind.plural,
            "subresource": wanted.below,
            "namespace": wanted.namespace,
            "name": wanted.name,
        }
        with self._errors(f"asking whether it may {wanted}"):
            review = await self._client.create(_resource(ACCESS_REVIEW)({"spec": {"resourceAttributes": attributes}}))
            return bool(review["status"]["allowed"])

    async def missing(self, *needed: Permission) -> "tuple[str, ...]":
        """What of this the caller may not do, such as `patch deployments.apps`."""
        allowed = await asyncio.gather(*(self.may(permission) for permission in needed))
        return tuple(str(permission) for permission, may in zip(needed, allowed, strict=True) if not may)

    async def metrics(self, pod: str, namespace: str, port: int) -> str:
        """A pod's /metrics, read through the API server."""
        with self._errors(f"reading the metrics of pod {namespace}/{pod}"):
            answer = await self._web.get(f"api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy/metrics")
            answer.raise_for_status()
            return answer.text

    @contextmanager
    def _absent_is_none(self) -> Iterator[None]:
        import httpx2

        try:
            yield
        except httpx2.HTTPStatusError as error:
            if error.response.status_code != 404:
                raise

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        import httpx2

        try:
            yield
        except (httpx2.HTTPError, KeyError) as error:
            # KeyError: lightkube's, over a failed answer without a Content-Type, such as gateways give
            failure = error.__context__ if isinstance(error, KeyError) else error
            if isinstance(failure, httpx2.HTTPStatusError):
                raise self._from_status(failure, doing) from error
            if isinstance(failure, httpx2.HTTPError):
                raise TemporaryError("Unreachable", f"{doing} in {self._cluster}: {type(failure).__name__}") from error
            raise

    def _from_status(self, error: "httpx2.HTTPStatusError", doing: str) -> PermanentError | TemporaryError:
        status, after = error.response.status_code, error.response.headers.get("Retry-After", "")
        message = f"{doing} in {self._cluster}: {status} {_message(error)}"
        if status in (401, 403):
            return TemporaryError("Forbidden", f"{message} (a new role assignment takes minutes to act)")
        if status in (404, 408, 409, 410, 412, 429) or status >= 500:
            return TemporaryError(f"Http{status}", message, float(after) if after.isdigit() else None)
        return PermanentError(f"Http{status}", message)


def _message(error: "httpx2.HTTPStatusError") -> str:
    """The API server's own words: they name the permission that is missing or the field that is in the way."""
    try:
        words = str(error.response.json()["message"])
    except (ValueError, TypeError, KeyError):
        words = str(error).partition("\n")[0]
    return words[:300]


@cache
def _resource(kind: Kind) -> Any:
    """A resource class for plain dicts; lightkube's own factory can't make one of a core kind twice in a process."""
    from lightkube.generic_resource import GenericGlobalResource, GenericNamespacedResource, create_api_info

    base = GenericNamespacedResource if kind.namespaced else GenericGlobalResource
    served = create_api_info(kind.group, kind.version, kind.kind, kind.plural)
    return type(kind.kind, (base,), {"_api_info": served})
