"""Meshward's identities at work in a cluster of which they have the roles of infra/cluster and no others.

Rules:
- The work is done by the adapters, with tokens of the simulated Entra, on a real API server.
- An API server takes a moment to notice a change of roles or policies.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx2
import msgspec

from local.cloud.kubernetes.api import AUDIENCE
from local.cloud.linkerd.installation import Installation
from local.cloud.linkerd.manifests import control_plane
from local.cloud.resources.aks import cluster_id
from local.cloud.world import World
from local.manifests import manifests
from local.scenario import TRUST_DOMAIN as DOMAIN
from local.stage import DUTIES
from shared.adapters.azure.clusters import Clusters
from shared.adapters.kubernetes.api import Kubernetes
from shared.adapters.kubernetes.backup_namespace import BackupNamespaces
from shared.adapters.kubernetes.isolation import Namespaces
from shared.adapters.kubernetes.kinds import DAEMON_SET, DEPLOYMENT, STATEFUL_SET, Object
from shared.adapters.meshes.linkerd import Linkerd, LinkerdMesh
from shared.domain.errors import TemporaryError
from shared.domain.restores.calls import ALLOWED, DENIED, WorkloadCall
from shared.domain.restores.items import ClusterItem
from shared.domain.restores.policy import VerifyPolicy
from shared.domain.restores.rungs import HANDSHAKE
from shared.domain.trust.linkerd.facts import Proxy
from shared.domain.vaults.binding import NAMESPACE, account_of
from shared.domain.vaults.binding_linkerd import LINKERD
from tests.real.control_plane import ApiServer
from tests.worlds import sdk
from tests.worlds.admission import everyone
from tests.worlds.api_objects import WORKLOADS, workload
from tests.worlds.facts.plans import a_manifest, a_plan
from tests.worlds.removal import at_once
from tests.worlds.settings import settings

SHOP = "least-privilege"
STANDING = "verify-standing"
IMAGE = VerifyPolicy().probe_image
_NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
_GONE = Proxy(pod="gone", namespace=SHOP, workload="", created_at=_NOW, started_at=None, roots=None)
_TRIES, _PAUSE = 300, 0.1
_BOUND = {one["kind"] for one in LINKERD.policies([])}


@dataclass(frozen=True, kw_only=True)
class Duties:
    """A cluster with Linkerd's objects and some workloads; `tokens` are by duty."""

    cluster: str
    verifier: str  # its object id
    server: ApiServer
    tokens: Mapping[str, str]
    linkerd: Linkerd
    namespaces: Namespaces
    backups: BackupNamespaces

    async def rotate(self) -> None:
        """Everything that a rotation does in a cluster."""
        async with self.linkerd.mesh(self.cluster, DOMAIN) as mesh:
            assert await mesh.config() is not None
            text = (await mesh.bundle()).pem
            await mesh.write_bundle(await mesh.bundle(), text, _NOW)
            assert await mesh.links() == []
            await mesh.write_issuer(await mesh.issuer(), certificate="c", key="k", bundle=text, now=_NOW)
            await mesh.write_issuer_bundle(await mesh.issuer(), text)
            assert await mesh.identity_pods(_NOW) == []
            assert f"Deployment/{SHOP}/web" in {p.workload for p in await mesh.proxies()}
            assert await mesh.leaves_refreshed_at([_GONE], timedelta(days=1)) == {_GONE.id: None}
            for name in ("web", "db", "agent"):
                await until(partial(_restarts, mesh, name))

    async def lacking(self) -> list[str]:
        """What a rotation knows beforehand that it may not do."""
        async with self.linkerd.mesh(self.cluster, DOMAIN) as mesh:
            return await mesh.missing_permissions()

    async def verify(self) -> None:
        """Everything that the verification of a restore does in a cluster."""
        place = f"verify-shop-{uuid.uuid4().hex[:16]}"
        item = ClusterItem(id="i", source_id=self.cluster, included=(SHOP,))
        plan = a_plan(item=item, target_id=self.cluster, isolated={SHOP: place})
        held = await self.namespaces.contents(item, plan.trust_domain)
        assert f"Deployment {SHOP}/web" in held.entries
        plan = msgspec.structs.replace(plan, uids=await self.namespaces.isolate(plan))
        await self.namespaces.require_isolated(plan)
        await self.namespaces.copy(plan, a_manifest(**held.entries), [])
        await self.namespaces.call(plan, [_call(place)])
        await self.namespaces.require_confined(plan, IMAGE)
        assert place in await self.namespaces.remove(plan, at_once)

        async def is_gone() -> bool:
            return not await self.namespaces.remove(plan, at_once)

        await until(is_gone)

    async def bind(self) -> None:
        """Everything that the binding of backup workloads does in a cluster, from nothing."""
        for served in policies():
            group, version, plural = served["spec"]["group"], served["spec"]["versions"][0]["name"], _plural(served)
            gone = await self.server.admin.delete(f"apis/{group}/{version}/namespaces/{NAMESPACE}/{plural}")
            gone.raise_for_status()
        for host in ("old.example", "new.example"):
            await self.backups.ensure(self.cluster, DOMAIN, [account_of(uuid.uuid4().hex), *LINKERD.policies([host])])

    async def send(self, duty: str, method: str, path: str, body: Object | None = None) -> httpx2.Response:
        """A call with the token of rotator or verifier; it changes nothing, but is judged as if it did."""
        content = {"PATCH": "application/merge-patch+json"}.get(method, "application/json")
        headers = {"Authorization": f"Bearer {self.tokens[duty]}", "Content-Type": content}
        dry = {} if method == "GET" else {"dryRun": "All"}
        return await self.server.admin.request(method, path, params=dry, json=body, headers=headers)


@asynccontextmanager
async def on_duty(world: World, name: str, server: ApiServer) -> AsyncIterator[Duties]:
    """Meshward's identities in the cluster of that name."""
    identities = {duty: world.entra.add(duty) for duty in DUTIES}
    async with AsyncExitStack() as stack:
        stack.push_async_callback(sdk.close, world)
        kubernetes = dict[str, Kubernetes]()
        for duty, principal in identities.items():
            clusters = Clusters(settings(world), **sdk.aio(world, principal))
            kubernetes[duty] = Kubernetes(clusters, everyone)
        duties = Duties(
            cluster=cluster_id(name),
            verifier=identities["verifier"].object_id,
            server=server,
            tokens={duty: world.entra.token(principal, AUDIENCE) for duty, principal in identities.items()},
            linkerd=Linkerd(kubernetes["rotator"]),
            namespaces=Namespaces(kubernetes["verifier"]),
            backups=BackupNamespaces(kubernetes["provisioner"]),
        )
        ids = {duty: principal.object_id for duty, principal in identities.items()}
        for manifest in (*policies(), *_mesh(), *_shop(), *manifests("linkerd", **ids)):
            await server.apply(manifest)
        await until(partial(_runs, server.admin))
        yield duties


def _call(namespace: str) -> WorkloadCall:
    """A call of a workload in the mesh."""
    return WorkloadCall(
        name=ALLOWED,
        namespace=namespace,
        rung=HANDSHAKE,
        about="web:8080",
        account=ALLOWED,
        image=IMAGE,
        command=("curl",),
        speaks="http",
        port=8080,
        labels={"app": "web"},
    )


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it holds; gives up after many tries."""
    for _ in range(_TRIES):
        if await holds():
            return
        await asyncio.sleep(_PAUSE)
    raise AssertionError("it doesn't come about")


async def _runs(admin: httpx2.AsyncClient) -> bool:
    pods = (await admin.get(f"api/v1/namespaces/{SHOP}/pods")).json()["items"]
    return [pod["status"].get("phase") for pod in pods] == ["Running"] * (3 * len(WORKLOADS) + 1)


async def _restarts(mesh: LinkerdMesh, name: str) -> bool:
    """Controllers change the object meanwhile."""
    workload = next(w for w in await mesh.workloads() if (w.namespace, w.name) == (SHOP, name))
    try:
        await mesh.restart(workload, _NOW)
    except TemporaryError as error:
        if error.reason != "Http409":
            raise
        return False
    return True


def _installed() -> list[Object]:
    of = Installation(trust_domain="prod.contoso.example", version="2.19", native_sidecars=False)
    return control_plane(of, root_pem="root", issuer_cert_pem="issuer", issuer_key_pem="key")


def _mesh() -> list[Object]:
    """Linkerd's objects without those that act: no container runs here."""
    return [o for o in _installed() if o["kind"] in ("Namespace", "ConfigMap", "Secret")]


def policies() -> list[Object]:
    """The kinds of Linkerd's policy, whatever their objects say."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    approved = {"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api/pull/1538"}
    kinds = [
        o for o in _installed() if o["kind"] == "CustomResourceDefinition" and o["spec"]["names"]["kind"] in _BOUND
    ]
    for kind in kinds:
        kind["metadata"]["annotations"] = approved
        for version in kind["spec"]["versions"]:
            version["schema"] = {"openAPIV3Schema": schema}
    return kinds


def _plural(definition: Object) -> str:
    return str(definition["spec"]["names"]["plural"])


def _shop() -> list[Object]:
    def made(kind: Any, name: str) -> Object:
        wanted = workload(kind, name)
        return {"apiVersion": "apps/v1", "kind": kind.kind, **wanted, "metadata": {"name": name, "namespace": SHOP}}

    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SHOP}}
    labels = {"meshward.io/verifies": "standing"}
    place = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": STANDING, "labels": labels}}
    accounts = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": where}}
        for name in (ALLOWED, DENIED)
        for where in (SHOP, STANDING)
    ]
    bare = {**made(DEPLOYMENT, "bare"), "kind": "ReplicaSet"}  # its pods don't tell what they belong to
    bare["spec"]["replicas"] = 1
    return [
        namespace,
        place,
        *accounts,
        bare,
        made(DEPLOYMENT, "web"),
        made(STATEFUL_SET, "db"),
        made(DAEMON_SET, "agent"),
    ]
