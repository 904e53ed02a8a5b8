"""An API server as its contract sees it: Meshward's client, other clients, and what lets time pass."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from lightkube import AsyncClient, KubeConfig
from lightkube.config.models import Cluster as Server
from lightkube.config.models import User

from local.cloud.clock import Clock
from local.cloud.entra import Principal
from local.cloud.kubernetes.api import AUDIENCE
from local.cloud.resources.aks import cluster_id
from local.cloud.world import World
from shared.adapters.azure.clusters import Clusters
from shared.adapters.kubernetes.api import ClusterApi, Kubernetes
from shared.adapters.kubernetes.kinds import NAMESPACE, POD, SERVICE_ACCOUNT, Kind, Object
from shared.adapters.meshes.linkerd import LinkerdMesh
from shared.domain.admission import AdmittedCluster
from shared.domain.errors import TemporaryError
from shared.domain.trust.linkerd.facts import Proxy, Workload
from tests.worlds import sdk
from tests.worlds.admission import everyone
from tests.worlds.api_objects import (
    CLUSTER_ROLE_BINDING,
    ROLE,
    ROLE_BINDING,
    admin,
    collection_path,
    eviction,
    workload,
)
from tests.worlds.settings import settings

_TRIES = 600
RESTARTED_AT = datetime(2027, 1, 1, tzinfo=UTC)


type Step = Callable[[], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class ClusterUnderTest:
    """An API server for the length of a test.

    `wait` lets a moment pass, `compact` makes the server drop its history. While its kubelets are `paused`, no pod
    becomes ready and none ends.
    """

    meshward: ClusterApi
    unprivileged: ClusterApi  # has no permission but what a test grants to its `user`
    user: str
    expired: ClusterApi  # its token has expired
    other: httpx2.AsyncClient
    wait: Step
    compact: Step
    paused: Callable[[], AbstractContextManager[None]]
    clock: Clock
    namespace: str = ""

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        for _ in range(_TRIES):
            if await holds():
                return
            await self.wait()
        pytest.fail("the condition never held")

    async def apply(self, kind: Kind, config: Object, manager: str = "Helm") -> Object:
        """Somebody else's server-side apply."""
        path = f"{collection_path(kind, self.namespace)}/{config['metadata']['name']}"
        body = {"apiVersion": f"{kind.group}/{kind.version}".lstrip("/"), "kind": kind.kind, **config}
        headers = {"Content-Type": "application/apply-patch+yaml"}
        answer = await self.other.patch(path, params={"fieldManager": manager}, json=body, headers=headers)
        assert answer.is_success, answer.text
        return dict(answer.json())

    async def grant(self, kind: Kind, *verbs: str) -> None:
        """Give the unprivileged user this permission here, and no other."""
        rule = {"apiGroups": [kind.group], "resources": [kind.plural], "verbs": verbs}
        await self.apply(ROLE, {"metadata": {"name": "granted"}, "rules": [rule]})
        role = {"apiGroup": ROLE.group, "kind": "Role", "name": "granted"}
        user = {"apiGroup": ROLE.group, "kind": "User", "name": self.user}
        await self.apply(ROLE_BINDING, {"metadata": {"name": "granted"}, "roleRef": role, "subjects": [user]})

    def event(self, *, reason: str) -> Object:
        about = {"apiVersion": "v1", "kind": "ConfigMap", "name": "colours", "namespace": self.namespace}
        return {"metadata": {"name": "colours.1"}, "involvedObject": about, "type": "Normal", "reason": reason}

    async def evict(self, name: str) -> httpx2.Response:
        """Evict a pod, as a drain of its node does."""
        return await self.other.post(f"{collection_path(POD, self.namespace)}/{name}/eviction", json=eviction(name))

    async def evicted(self, name: str) -> bool:
        return (await self.evict(name)).is_success

    def lightkube(self) -> AsyncClient:
        """A client that watches, for the length of a block."""
        user = User(token=self.other.headers["Authorization"].removeprefix("Bearer "))
        config = KubeConfig.from_one(cluster=Server(server=str(self.other.base_url)), user=user)
        return AsyncClient(config, transport=_SharedTransport(self.other, self.clock))

    async def run(self, kind: Kind, name: str, **spec: Any) -> Workload:
        """A workload, once its rollout is over."""
        await self.apply(kind, workload(kind, name, **spec))
        await self.until(lambda: self.rolled_out(name))
        return await self.workload(name)

    async def workload(self, name: str) -> Workload:
        found = await LinkerdMesh(self.meshward).workloads()
        return next(w for w in found if (w.namespace, w.name) == (self.namespace, name))

    async def exists(self, kind: Kind, name: str) -> bool:
        return await self.meshward.get(kind, name, self.namespace) is not None

    async def rolled_out(self, name: str) -> bool:
        return not (await self.workload(name)).rolling

    async def restart(self, name: str) -> None:
        """As the rotation does: controllers change objects meanwhile, so a lost race is tried again."""

        async def restarted() -> bool:
            try:
                await LinkerdMesh(self.meshward).restart(await self.workload(name), RESTARTED_AT)
            except TemporaryError as error:
                return error.reason != "Http409"
            return True

        await self.until(restarted)

    async def pods(self, name: str) -> dict[str, Object]:
        """A workload's pods by uid."""
        found = await self.meshward.list(POD, namespace=self.namespace, labels={"app": name})
        return {p["metadata"]["uid"]: p for p in found}

    async def proxies(self) -> list[Proxy]:
        return [p for p in await LinkerdMesh(self.meshward).proxies() if p.namespace == self.namespace]


@dataclass(frozen=True)
class _SharedTransport(httpx2.AsyncBaseTransport):
    other: httpx2.AsyncClient
    clock: Clock

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        with self.clock.busy():
            return await self.other.send(request, stream=True)


@dataclass(frozen=True)
class _WithCredential:
    """Clusters' API servers with the token of another principal, who may not read kubeconfigs."""

    clusters: Clusters
    credential: sdk.AsyncCredential

    async def kubeconfig(self, cluster: AdmittedCluster) -> str:
        return await self.clusters.kubeconfig(cluster)

    async def hosts(self, cluster: AdmittedCluster) -> frozenset[str]:
        return await self.clusters.hosts(cluster)

    async def token(self, cluster: AdmittedCluster) -> str:  # noqa: ARG002
        return (await self.credential.get_token(AUDIENCE)).token


@asynccontextmanager
async def opened(
    world: World,
    name: str,
    other: httpx2.AsyncClient,
    *,
    wait: Step,
    compact: Step,
    paused: Callable[[], AbstractContextManager[None]],
) -> AsyncIterator[ClusterUnderTest]:
    """The world's cluster of that name as the contract sees it; `other` lets Meshward do everything there."""
    rotator, unprivileged, now = world.entra.add("rotator"), world.entra.add("unprivileged"), int(world.clock.time())
    clusters = Clusters(settings(world), **sdk.aio(world, rotator))
    made = await other.post(collection_path(CLUSTER_ROLE_BINDING, ""), json=admin(rotator.object_id))
    assert made.status_code == 201, made.text
    async with AsyncExitStack() as stack:
        stack.push_async_callback(sdk.close, world)

        async def api(principal: Principal, **claims: Any) -> ClusterApi:
            access = _WithCredential(clusters, sdk.AsyncCredential(world, principal, **claims))
            return await stack.enter_async_context(Kubernetes(access, everyone).api(cluster_id(name), ""))

        yield ClusterUnderTest(
            meshward=await api(rotator),
            unprivileged=await api(unprivileged),
            user=unprivileged.object_id,
            expired=await api(rotator, iat=now - 7200, nbf=now - 7200, exp=now - 3600),
            other=other,
            wait=wait,
            compact=compact,
            paused=paused,
            clock=world.clock,
        )


class InItsOwnNamespace:
    """A suite whose tests get the fixture `cluster` with a namespace for each of them alone: `here`."""

    @pytest.fixture
    async def here(self, cluster: ClusterUnderTest) -> ClusterUnderTest:
        """The cluster with a fresh namespace, in which pods may be made."""
        name = f"contract-{uuid.uuid4().hex[:8]}"
        await cluster.meshward.apply(NAMESPACE, {"metadata": {"name": name}})
        here = replace(cluster, namespace=name)
        await here.until(lambda: here.exists(SERVICE_ACCOUNT, "default"))
        return here
