"""A real cluster in virtual time: its API server keeps the objects, kwok runs the pods, Linkerd is simulated.

Rules:
- The simulated Linkerd sees the cluster through a `Twin` of its objects. It injects pods through a webhook that the
  real API server calls; its proxies and identity replicas start with what stands in the pods.
- Virtual time stands still while the real cluster works off a change. Pods made meanwhile, which tell their age in real
  time, are shown to be as old as that moment.
- Meshward reaches the API server through a `Gateway`, which lets its tokens live in real time, and gives the metrics of
  pods that the API server let it reach, because kwok runs no container.
"""

import asyncio
import base64
import json
import re
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import jwt
import trustme
from aiohttp import web

from local.cloud.kubernetes.api import AUDIENCE
from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.errors import StatusError
from local.cloud.kubernetes.objects import Object
from local.cloud.world import World
from shared.adapters.meshes.linkerd_objects import KINDS, workload
from tests.real.control_plane import ApiServer

_SEEN = {
    "Namespace": "api/v1/namespaces",
    "ConfigMap": "api/v1/configmaps",
    "Secret": "api/v1/secrets",
    "ServiceAccount": "api/v1/serviceaccounts",
    "MutatingWebhookConfiguration": "apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
    "Deployment": "apis/apps/v1/deployments",
    "StatefulSet": "apis/apps/v1/statefulsets",
    "DaemonSet": "apis/apps/v1/daemonsets",
    "Pod": "api/v1/pods",
    "NetworkPolicy": "apis/networking.k8s.io/v1/networkpolicies",
}
_METRICS = re.compile(r"/api/v1/namespaces/([^/]+)/pods/([^/:]+):(\d+)/proxy/metrics")
_TRIES, _PAUSE = 600, 0.1


class Twin(SimulatedCluster):
    """The objects of a real cluster; what a scenario applies waits in `pending`, `born` has pods' ages by uid."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(name, world.clock)
        self.pending: list[Object] = []
        self.born: dict[str, str] = {}
        self._versions: dict[str, str] = {}

    def apply(self, manifest: Mapping[str, Any], *, manager: str = "kubectl") -> Object:  # noqa: ARG002
        self.pending.append(dict(manifest))
        return dict(manifest)

    def reflect(self, found: Mapping[str, list[Object]]) -> None:
        """Become like the real cluster; what runs in its pods ends and starts accordingly."""
        started = [pod for kind, objects in found.items() for pod in self._reflected(kind, objects) if kind == "Pod"]
        for pod in started:
            self.born[pod["metadata"]["uid"]] = self.now()
        for pod in started:
            if self.mesh:
                self.mesh.start(pod)

    def _reflected(self, kind: str, objects: list[Object]) -> list[Object]:
        """The objects that are new."""
        entry, present = self.kind(kind), {o["metadata"]["uid"] for o in objects}
        for old in self.objects(kind):
            if old["metadata"]["uid"] not in present:
                self.remove(old)
                if kind == "Pod" and self.mesh:
                    self.mesh.stop(old)
        changed = [o for o in objects if self._versions.get(o["metadata"]["uid"]) != o["metadata"]["resourceVersion"]]
        new = [o for o in changed if o["metadata"]["uid"] not in self._versions]
        for each in changed:
            self._versions[each["metadata"]["uid"]] = each["metadata"]["resourceVersion"]
            self._store("MODIFIED", entry, each)
        return new


class Gateway:
    """The way to a real API server, and the webhook that it calls.

    `faults` says how many of the next calls are `lost`, are `throttled`, or carry a token that has `expired`, how often
    the webhook is `down`, and whether the API server is `killed` by the next write, before anybody learns of it. `lost`
    counts the calls that got no answer.
    """

    def __init__(self, world: World, twin: Twin, server: ApiServer) -> None:
        self._world, self._twin, self._server = world, twin, server
        self._one_at_a_time = asyncio.Lock()
        self.faults = Counter[str]()
        self.lost = 0

    async def install(self, webhook: Mapping[str, Any]) -> None:
        """Make what the scenario wants, the mesh before what it injects."""
        pending = [_complete(m, webhook) for m in self._twin.pending if m["kind"] != "CustomResourceDefinition"]
        for kind in ("Namespace", "", "MutatingWebhookConfiguration"):
            for manifest in [m for m in pending if m["kind"] == kind or (not kind and _of_mesh(m))]:
                await self._server.apply(manifest)
            await self.catch_up()
        await self._until_injected()
        for manifest in [m for m in pending if "namespace" in m["metadata"] and not _of_mesh(m)]:
            account = {"name": manifest["metadata"]["name"], "namespace": manifest["metadata"]["namespace"]}
            await self._server.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
            await self._server.apply(manifest)
        self._twin.pending.clear()
        await self.catch_up()

    async def _make_wanted(self) -> None:
        """Make what the scenario has applied since, such as what a restore contains."""
        pending, self._twin.pending = self._twin.pending, []
        for manifest in pending:
            await self._server.apply(manifest)
        if pending:
            await self.catch_up()

    async def _until_injected(self) -> None:
        """Wait until the API server calls the webhook."""
        pod = {"metadata": {"name": "probe"}, "spec": {"containers": [{"name": "probe", "image": "probe:1"}]}}
        for _ in range(_TRIES):
            made = await self._server.admin.post("api/v1/namespaces/shop/pods?dryRun=All", json=pod)
            if made.is_success and len(made.json()["spec"]["containers"]) > 1:
                return
            await asyncio.sleep(_PAUSE)
        raise AssertionError(f"no proxy is injected: {made.text}")

    async def catch_up(self) -> None:
        """Wait in real time until nothing changes any more, and reflect what has become of it."""
        for _ in range(_TRIES):
            found = {kind: await self._list(kind, path) for kind, path in _SEEN.items()}
            if _is_calm(found):
                self._twin.reflect(found)
                return
            await asyncio.sleep(_PAUSE)
        raise AssertionError(f"cluster {self._twin.name} doesn't come to rest")

    async def recover(self) -> None:
        """The API server runs again."""
        await self._server.restart()
        await self.catch_up()

    async def namespaces(self) -> set[str]:
        return {each["metadata"]["name"] for each in await self._list("Namespace", _SEEN["Namespace"])}

    async def _list(self, kind: str, path: str) -> list[Object]:
        answer = (await self._server.admin.get(path)).raise_for_status().json()
        return [{"apiVersion": answer["apiVersion"], "kind": kind, **item} for item in answer["items"]]

    async def admit(self, request: web.Request) -> web.Response:
        """The webhook."""
        if self._strikes("down"):
            raise web.HTTPServiceUnavailable
        review = (await request.json())["request"]
        pod = review["object"]
        pod["metadata"].setdefault("namespace", review["namespace"])
        answer: Object = {"uid": review["uid"], "allowed": True}
        try:
            injected = self._twin.mesh.admit(pod) if self._twin.mesh else pod
            changes = {f"/metadata/{part}": injected["metadata"].get(part, {}) for part in ("annotations", "labels")}
            patch = [{"op": "add", "path": p, "value": v} for p, v in {**changes, "/spec": injected["spec"]}.items()]
            answer |= {"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(patch).encode()).decode()}
        except StatusError as error:
            answer |= {"allowed": False, "status": {"code": error.code, "message": error.message}}
        return web.json_response({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer})

    async def forward(self, request: web.Request) -> web.Response:
        """A call of Meshward's."""
        try:
            if self._strikes("lost"):
                raise httpx2.ConnectError("lost")
            return await self._forwarded(request)
        except httpx2.TransportError:
            self.lost += 1
            assert request.transport
            request.transport.abort()
            raise asyncio.CancelledError from None

    async def _forwarded(self, request: web.Request) -> web.Response:
        if self._strikes("throttled"):
            return web.json_response({"message": "too many requests"}, status=429, headers={"Retry-After": "7"})
        if metrics := _METRICS.fullmatch(request.path):
            return await self._metrics(request, *metrics.groups())
        async with self._one_at_a_time:
            await self._make_wanted()
            answer = await self._sent(request, request.path_qs)
            if answer.is_success and request.method != "GET":
                if self._strikes("killed"):
                    await self._server.program.kill()
                await self.catch_up()
        if not answer.is_success:
            return web.Response(body=answer.content, status=answer.status_code, headers=_kept(answer.headers))
        return web.json_response(self._shown(answer.json()), status=answer.status_code)

    async def _sent(self, request: web.Request, path: str) -> httpx2.Response:
        headers = {**_kept(request.headers), "Authorization": f"Bearer {self._token(request)}"}
        return await self._server.admin.request(request.method, path, content=await request.read(), headers=headers)

    def _token(self, request: web.Request) -> str:
        """The caller's, alive now in real time."""
        token, entra = request.headers["Authorization"].removeprefix("Bearer "), self._world.entra
        user = jwt.decode(token, options={"verify_signature": False})["oid"]
        caller = next(principal for principal in entra.principals.values() if principal.object_id == user)
        issued = int(time.time()) - (7200 if self._strikes("expired") else 0)
        return entra.token(caller, AUDIENCE, iat=issued, nbf=issued, exp=issued + 3600)

    def _strikes(self, fault: str) -> bool:
        self.faults[fault] -= (due := self.faults[fault] > 0)
        return due

    async def _metrics(self, request: web.Request, namespace: str, name: str, port: str) -> web.Response:
        """The API server says whether the caller may reach such a pod; it looks for one that it can't find."""
        judged = await self._sent(request, request.path.replace(f"/{name}:", "/nobody:"))
        if judged.status_code != 404:
            return web.json_response(judged.json(), status=judged.status_code)
        pod = self._twin.find("Pod", namespace, name)
        text = self._twin.mesh.metrics(pod, int(port)) if pod and self._twin.mesh else None
        return web.Response(text=text) if text else web.json_response(judged.json(), status=404)

    def _shown(self, answer: Object) -> Object:
        for found in answer.get("items", [answer]):
            born = self._twin.born.get(found.get("metadata", {}).get("uid", ""))
            if born:
                found["metadata"]["creationTimestamp"] = born
                status = found["status"]
                for each in (*status.get("containerStatuses", ()), *status.get("initContainerStatuses", ())):
                    each["state"] = {"running": {"startedAt": born}} if "running" in each["state"] else each["state"]
        return answer


@asynccontextmanager
async def joined(world: World, name: str, server: ApiServer) -> AsyncIterator[Gateway]:
    """Let the world's cluster of that name, a Twin, be this real one, and make the pending objects there."""
    twin, authority = world.kubernetes.clusters[name], trustme.CA()
    assert isinstance(twin, Twin)
    gateway, app = Gateway(world, twin, server), web.Application(client_max_size=2**26)
    app.router.add_post("/admit", gateway.admit)
    app.router.add_route("*", "/{tail:.*}", gateway.forward)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        url, trust = f"https://127.0.0.1:{runner.addresses[0][1]}", authority.cert_pem.bytes()
        world.aks.api_servers[name] = (url, trust)
        await gateway.install({"url": f"{url}/admit", "caBundle": base64.b64encode(trust).decode()})
        yield gateway
    finally:
        await runner.cleanup()


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in ("Accept", "Content-Type", "Retry-After") if name in headers}


def _of_mesh(manifest: Object) -> bool:
    return bool(manifest["metadata"].get("namespace") == "linkerd")


def _complete(manifest: Object, client: Mapping[str, Any]) -> Object:
    """The manifest, with what a real API server needs to call a webhook outside the cluster."""
    if manifest["kind"] != "MutatingWebhookConfiguration":
        return manifest
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]
    return {**manifest, "webhooks": [{**w, "clientConfig": client, "rules": rules} for w in manifest["webhooks"]]}


def _is_calm(found: Mapping[str, list[Object]]) -> bool:
    """Whether every rollout is over and has all its pods, every pod runs or has ended and nothing is about to end.

    A workload's status goes on to count a pod that is gone until its controller has looked.
    """
    workloads = [(each, workload(KINDS[kind], each)) for kind in KINDS.keys() & found for each in found[kind]]
    rolling = [each for each, w in workloads if w.rolling or len(_pods_of(each, found["Pod"])) != w.replicas]
    waiting = [pod for pod in found["Pod"] if pod["status"].get("phase") in (None, "Pending")]
    ending = [each for objects in found.values() for each in objects if "deletionTimestamp" in each["metadata"]]
    return not (rolling or waiting or ending)


def _pods_of(found: Object, pods: list[Object]) -> list[Object]:
    namespace, pending = found["metadata"]["namespace"], found["spec"]["selector"]["matchLabels"].items()
    here = [pod for pod in pods if pod["metadata"]["namespace"] == namespace]
    return [pod for pod in here if pending <= pod["metadata"].get("labels", {}).items()]
