"""What Meshward relies on at an API server, the same for the simulated one and for real ones.

Rules:
- A suite derives from `KubernetesContract` and gives it the fixture `cluster`.
- `meshward` is the adapter under test; `other` stands for everybody else and speaks the bare API.
- Time passes by `until`: controllers of a real cluster take real time, those of the simulated one virtual time.
- Each test has a namespace of its own.
- The adapter lists and never watches; watches are read by lightkube, whose own restarts are relied on. Virtual time is
  held while one of its requests is under way: a test that waits for what it sees must not outrun it.
"""

import asyncio
import base64
import json
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from lightkube import AsyncClient, KubeConfig
from lightkube.config.models import Cluster as Server
from lightkube.config.models import User
from lightkube.resources.core_v1 import Event
from lightkube.types import OnErrorResult, on_error_retry

from local.cloud.clock import Clock
from local.cloud.entra import Principal
from local.cloud.kubernetes.api import AUDIENCE
from local.cloud.resources.aks import cluster_id
from local.cloud.world import World
from shared.adapters.azure.clusters import Clusters
from shared.adapters.kubernetes.api import (
    CONFIG_MAP,
    DAEMON_SET,
    DEPLOYMENT,
    NAMESPACE,
    POD,
    SECRET,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
    ClusterApi,
    Kind,
    Kubernetes,
    Object,
    Permission,
)
from shared.adapters.kubernetes.owners import owner
from shared.adapters.meshes.linkerd import LinkerdMesh
from shared.domain.errors import PermanentError, TemporaryError
from shared.domain.trust.linkerd.facts import Proxy, Workload
from tests.worlds import sdk
from tests.worlds.settings import settings

EVENT = Kind("", "v1", "Event", "events")
DISRUPTION_BUDGET = Kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
JOB = Kind("batch", "v1", "Job", "jobs")
ROLE = Kind("rbac.authorization.k8s.io", "v1", "Role", "roles")
ROLE_BINDING = Kind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings")
CLUSTER_ROLE_BINDING = Kind("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", False)
WORKLOADS = [DEPLOYMENT, STATEFUL_SET, DAEMON_SET]
_TRIES = 600
_PAGE = Path(__file__).parents[2] / "docs" / "clusters.md"
_NOW = datetime(2027, 1, 1, tzinfo=UTC)


type Step = Callable[[], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class ClusterUnderTest:
    """An API server for the length of a test.

    `wait` lets a moment pass, `forget` makes the server drop its history. While its kubelets are `held`, no pod becomes
    ready and none goes.
    """

    meshward: ClusterApi
    stranger: ClusterApi  # may do nothing, unless a test grants something to its `user`
    user: str
    latecomer: ClusterApi  # its token has run out
    other: httpx2.AsyncClient
    wait: Step
    forget: Step
    held: Callable[[], AbstractContextManager[None]]
    clock: Clock
    namespace: str = ""

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        for _ in range(_TRIES):
            if await holds():
                return
            await self.wait()
        pytest.fail("it doesn't come about")

    async def apply(self, kind: Kind, wanted: Object, manager: str = "Helm") -> Object:
        """Somebody else's server-side apply."""
        path = f"{_path(kind, self.namespace)}/{wanted['metadata']['name']}"
        body = {"apiVersion": f"{kind.group}/{kind.version}".lstrip("/"), "kind": kind.kind, **wanted}
        headers = {"Content-Type": "application/apply-patch+yaml"}
        answer = await self.other.patch(path, params={"fieldManager": manager}, json=body, headers=headers)
        assert answer.is_success, answer.text
        return dict(answer.json())

    async def grant(self, kind: Kind, *verbs: str) -> None:
        """Let the stranger do this here, and nothing else."""
        rule = {"apiGroups": [kind.group], "resources": [kind.plural], "verbs": verbs}
        await self.apply(ROLE, {"metadata": {"name": "granted"}, "rules": [rule]})
        role = {"apiGroup": ROLE.group, "kind": "Role", "name": "granted"}
        user = {"apiGroup": ROLE.group, "kind": "User", "name": self.user}
        await self.apply(ROLE_BINDING, {"metadata": {"name": "granted"}, "roleRef": role, "subjects": [user]})

    def event(self, *, reason: str) -> Object:
        about = {"apiVersion": "v1", "kind": "ConfigMap", "name": "colours", "namespace": self.namespace}
        return {"metadata": {"name": "colours.1"}, "involvedObject": about, "type": "Normal", "reason": reason}

    async def evict(self, name: str) -> httpx2.Response:
        """Somebody drains the pod's node."""
        return await self.other.post(f"{_path(POD, self.namespace)}/{name}/eviction", json=eviction(name))

    async def evicted(self, name: str) -> bool:
        return (await self.evict(name)).is_success

    def lightkube(self) -> AsyncClient:
        """A client that watches, for the length of a block."""
        user = User(token=self.other.headers["Authorization"].removeprefix("Bearer "))
        config = KubeConfig.from_one(cluster=Server(server=str(self.other.base_url)), user=user)
        return AsyncClient(config, transport=_Lent(self.other, self.clock))

    async def run(self, kind: Kind, name: str, **spec: Any) -> Workload:
        """A workload, once its rollout is over."""
        await self.apply(kind, workload(kind, name, **spec))
        await self.until(lambda: self.rolled_out(name))
        return await self.workload(name)

    async def workload(self, name: str) -> Workload:
        found = await LinkerdMesh(self.meshward).workloads()
        return next(w for w in found if (w.namespace, w.name) == (self.namespace, name))

    async def rolled_out(self, name: str) -> bool:
        return not (await self.workload(name)).rolling

    async def restart(self, name: str) -> None:
        """As the rotation does: controllers change objects meanwhile, so a lost race is tried again."""

        async def restarted() -> bool:
            try:
                await LinkerdMesh(self.meshward).restart(await self.workload(name), _NOW)
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


class _Forgetful(ClusterApi):
    """Meshward's way to an API server that has forgotten a list's moment before each page but the first."""

    def __init__(self, cluster: ClusterUnderTest) -> None:
        super().__init__("here", cluster.meshward._session)
        self._here = cluster

    async def _call(self, doing: str, method: str, path: str, **request: Any) -> bytes:
        here, query = self._here, request.get("query") or {}

        async def is_gone() -> bool:
            return (await here.other.get(path, params=query)).status_code == 410

        if "continue" in query:
            await here.apply(CONFIG_MAP, colours(changed="meanwhile"))
            await here.forget()
            await here.until(is_gone)
        return await super()._call(doing, method, path, **request)


@dataclass(frozen=True)
class _Lent(httpx2.AsyncBaseTransport):
    other: httpx2.AsyncClient
    clock: Clock

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        with self.clock.busy():
            return await self.other.send(request, stream=True)


@dataclass(frozen=True)
class _Claimed:
    """The way to the clusters' API servers, with the token of somebody who may not ask for it."""

    clusters: Clusters
    credential: sdk.AsyncCredential

    async def kubeconfig(self, resource_id: str) -> str:
        return await self.clusters.kubeconfig(resource_id)

    async def token(self, resource_id: str) -> str:  # noqa: ARG002
        return (await self.credential.get_token(AUDIENCE)).token


@asynccontextmanager
async def opened(
    world: World,
    name: str,
    other: httpx2.AsyncClient,
    *,
    wait: Step,
    forget: Step,
    held: Callable[[], AbstractContextManager[None]],
) -> AsyncIterator[ClusterUnderTest]:
    """The world's cluster of that name as the contract sees it; `other` lets Meshward do everything there."""
    rotator, stranger, now = world.entra.add("rotator"), world.entra.add("stranger"), int(world.clock.time())
    clusters = Clusters(settings(world), **sdk.aio(world, rotator))
    made = await other.post(_path(CLUSTER_ROLE_BINDING, ""), json=admin(rotator.object_id))
    assert made.status_code == 201, made.text
    async with AsyncExitStack() as stack:
        stack.push_async_callback(clusters.close)

        async def api(principal: Principal, **claims: Any) -> ClusterApi:
            kubernetes = Kubernetes(_Claimed(clusters, sdk.AsyncCredential(world, principal, **claims)))
            return await stack.enter_async_context(kubernetes.api(cluster_id(name)))

        yield ClusterUnderTest(
            meshward=await api(rotator),
            stranger=await api(stranger),
            user=stranger.object_id,
            latecomer=await api(rotator, iat=now - 7200, nbf=now - 7200, exp=now - 3600),
            other=other,
            wait=wait,
            forget=forget,
            held=held,
            clock=world.clock,
        )


def admin(user: str) -> Object:
    """Lets a user do everything."""
    group = CLUSTER_ROLE_BINDING.group
    return {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": user},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    }


def workload(kind: Kind, name: str, **spec: Any) -> Object:
    counted = {} if kind is DAEMON_SET else {"replicas": 3}
    served = {"serviceName": name} if kind is STATEFUL_SET else {}
    return {
        "metadata": {"name": name},
        "spec": {**counted, **served, "selector": {"matchLabels": {"app": name}}, "template": pod(name), **spec},
    }


def pod(name: str, **spec: Any) -> Object:
    """A meshed pod, as the injector leaves it."""
    proxy = {"name": "linkerd-proxy", "image": "proxy:1", "env": [{"name": "ROOTS", "value": "none"}]}
    labels = {"app": name, "linkerd.io/control-plane-ns": "linkerd"}
    containers = [{"name": "app", "image": "shop/app:1"}, proxy]
    return {"metadata": {"labels": labels}, "spec": {"containers": containers, **spec}}


def budget(name: str, **bound: int | str) -> Object:
    return {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"app": name}}, **bound}}


def eviction(name: str) -> Object:
    return {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}


def colours(**data: str) -> Object:
    return {"metadata": {"name": "colours"}, "data": data}


def _path(kind: Kind, namespace: str) -> str:
    within = f"namespaces/{namespace}/" if kind.namespaced else ""
    return f"{f'apis/{kind.group}' if kind.group else 'api'}/{kind.version}/{within}{kind.plural}"


class KubernetesContract:
    """The suite."""

    @pytest.fixture
    async def here(self, cluster: ClusterUnderTest) -> ClusterUnderTest:
        """The cluster with a fresh namespace, in which pods may be made."""
        name = f"contract-{uuid.uuid4().hex[:8]}"
        await cluster.meshward.apply(NAMESPACE, {"metadata": {"name": name}})
        here = replace(cluster, namespace=name)
        await here.until(lambda: _exists(here, SERVICE_ACCOUNT, "default"))
        return here

    async def test_a_list_longer_than_a_page_is_whole(self, here: ClusterUnderTest) -> None:
        wanted = [f"c{number}" for number in range(7)]
        for name in wanted:
            await here.apply(SECRET, {"metadata": {"name": name}})
        found = await here.meshward.list(SECRET, namespace=here.namespace, page=3)
        assert [o["metadata"]["name"] for o in found] == wanted

    async def test_pages_show_one_moment_until_it_is_forgotten(self, here: ClusterUnderTest) -> None:
        path = _path(SECRET, here.namespace)
        for name in ("a", "b", "c"):
            await here.apply(SECRET, {"metadata": {"name": name}})
        first = (await here.other.get(path, params={"limit": 1})).json()
        following = {"limit": 1, "continue": first["metadata"]["continue"]}
        await here.meshward.delete(SECRET, "b", here.namespace)
        second = (await here.other.get(path, params=following)).json()
        assert [o["metadata"]["name"] for o in (*first["items"], *second["items"])] == ["a", "b"]
        assert first["metadata"]["remainingItemCount"] == 2
        await here.forget()

        async def is_gone() -> bool:
            return (await here.other.get(path, params=following)).status_code == 410

        await here.until(is_gone)
        assert (await here.other.get(path, params=following)).json()["reason"] == "Expired"

    async def test_a_list_whose_moment_is_forgotten_between_its_pages_is_read_again(
        self, here: ClusterUnderTest
    ) -> None:
        wanted = [f"c{number}" for number in range(4)]
        for name in wanted:
            await here.apply(SECRET, {"metadata": {"name": name}})
        found = await _Forgetful(here).list(SECRET, namespace=here.namespace, page=2)
        assert [o["metadata"]["name"] for o in found] == wanted

    async def test_a_watch_that_is_gone_starts_again_and_one_that_is_closed_goes_on(
        self, here: ClusterUnderTest
    ) -> None:
        gone, seen = list[Any](), list[tuple[str, str | None]]()

        def noted(error: Exception, count: int) -> OnErrorResult:
            gone.append(error)
            return on_error_retry(error, count)

        async def watch() -> None:
            async with here.lightkube() as client:
                since: Any = {"namespace": here.namespace, "resource_version": "1"}
                async for change, found in client.watch(Event, **since, server_timeout=1, on_error=noted):
                    seen.append((change, found.reason))

        def told(change: str) -> Callable[[], Awaitable[bool]]:
            async def is_told() -> bool:
                return bool(seen) and seen[-1][0] == change

            return is_told

        await here.apply(EVENT, here.event(reason="Mixed"))
        await here.forget()
        watching = asyncio.create_task(watch())
        await here.until(told("ADDED"))
        for _ in range(25):  # it is closed again and again
            await here.wait()
        await here.apply(EVENT, here.event(reason="Dried"))
        await here.until(told("MODIFIED"))
        await here.meshward.delete(EVENT, "colours.1", here.namespace)
        await here.until(told("DELETED"))
        watching.cancel()
        assert [error.status.code for error in gone] == [410]
        assert seen == [("ADDED", "Mixed"), ("MODIFIED", "Dried"), ("DELETED", "Dried")]

    async def test_a_watch_that_saw_nothing_is_told_how_far_it_has_come_before_it_is_closed(
        self, here: ClusterUnderTest
    ) -> None:
        path, query = _path(SECRET, here.namespace), {"watch": "true", "allowWatchBookmarks": "true"}
        since = (await here.other.get(path)).json()["metadata"]["resourceVersion"]
        only = {"labelSelector": "watched", "resourceVersion": since, "timeoutSeconds": 8}
        async with here.other.stream("GET", path, params={**query, **only}) as watch:
            unseen = await here.apply(SECRET, {"metadata": {"name": "unseen"}})
            reading = asyncio.create_task(watch.aread())

            async def is_closed() -> bool:
                return reading.done()

            await here.until(is_closed)
        told = [json.loads(line) for line in watch.text.splitlines()]
        assert {(each["type"], each["object"]["kind"]) for each in told} == {("BOOKMARK", "Secret")}
        assert told[-1]["object"]["metadata"]["resourceVersion"] >= unseen["metadata"]["resourceVersion"]

    async def test_listed_objects_leave_their_kind_to_the_list(self, here: ClusterUnderTest) -> None:
        await here.apply(SECRET, {"metadata": {"name": "key"}})
        (found,) = await here.meshward.list(SECRET, namespace=here.namespace)
        assert found.keys().isdisjoint({"kind", "apiVersion"})
        assert (await here.meshward.get(SECRET, "key", here.namespace) or {})["kind"] == "Secret"

    async def test_every_namespace_is_given_an_account_and_the_authority_of_the_cluster(
        self, here: ClusterUnderTest
    ) -> None:
        await here.until(lambda: _exists(here, CONFIG_MAP, "kube-root-ca.crt"))
        for kind, name in ((SERVICE_ACCOUNT, "default"), (CONFIG_MAP, "kube-root-ca.crt")):
            assert [o["metadata"]["name"] for o in await here.meshward.list(kind, namespace=here.namespace)] == [name]

    async def test_what_is_not_there_is_none_and_need_not_be_deleted(self, here: ClusterUnderTest) -> None:
        assert await here.meshward.get(CONFIG_MAP, "colours", here.namespace) is None
        await here.meshward.delete(CONFIG_MAP, "colours", here.namespace)
        with pytest.raises(TemporaryError, match="404"):
            await here.meshward.metrics("absent", here.namespace, 4191)

    async def test_applying_the_same_again_changes_nothing(self, here: ClusterUnderTest) -> None:
        wanted = {**colours(a="red", b="blue"), "metadata": {"name": "colours", "namespace": here.namespace}}
        first, again = [await here.meshward.apply(CONFIG_MAP, wanted) for _ in range(2)]
        assert first["metadata"]["resourceVersion"] == again["metadata"]["resourceVersion"]
        assert (await here.meshward.apply(CONFIG_MAP, {**wanted, "data": {"a": "red"}}))["data"] == {"a": "red"}

    async def test_the_marks_of_another_tool_are_taken_off_as_the_page_for_infra_teams_says(
        self, here: ClusterUnderTest
    ) -> None:
        labels, annotations = {"app.kubernetes.io/managed-by": "Helm"}, {"meta.helm.sh/release-name": "linkerd"}
        marked = {"name": "colours", "labels": labels, "annotations": annotations}
        assert owner(await here.apply(CONFIG_MAP, {**colours(a="red"), "metadata": marked}), "f:data", "f:a") == "Helm"
        (patch,) = re.findall(r"--patch '(.*managedFields.*)'", _PAGE.read_text())
        headers = {"Content-Type": "application/merge-patch+json"}
        path = f"{_path(CONFIG_MAP, here.namespace)}/colours"
        taken = (await here.other.patch(path, content=patch.encode(), headers=headers)).json()
        assert owner(taken, "f:data", "f:a") == ""
        wanted = {**colours(a="green"), "metadata": {"name": "colours", "namespace": here.namespace}}
        ours = await here.meshward.apply(CONFIG_MAP, wanted, take_over=True)
        assert (ours["data"], owner(ours, "f:data", "f:a")) == ({"a": "green"}, "")

    @pytest.mark.parametrize("operation", ["Apply", "Update"])
    async def test_a_field_of_another_manager_is_a_conflict_unless_taken_over(
        self, here: ClusterUnderTest, operation: str
    ) -> None:
        if operation == "Apply":
            await here.apply(CONFIG_MAP, colours(a="red", b="blue"))
        else:
            made = await here.other.post(
                _path(CONFIG_MAP, here.namespace), params={"fieldManager": "Helm"}, json=colours(a="red", b="blue")
            )
            assert made.status_code == 201
        wanted = {**colours(a="green"), "metadata": {"name": "colours", "namespace": here.namespace}}
        manager = '"Helm"' if operation == "Apply" else '"Helm" using v1'
        with pytest.raises(TemporaryError, match=f"1 conflict: conflict with {manager}: .data.a") as refused:
            await here.meshward.apply(CONFIG_MAP, wanted)
        assert refused.value.reason == "Http409"
        taken = await here.meshward.apply(CONFIG_MAP, wanted, take_over=True)
        assert taken["data"] == {"a": "green", "b": "blue"}
        owners = {m["manager"]: m["fieldsV1"]["f:data"] for m in taken["metadata"]["managedFields"]}
        assert owners["meshward"].keys() == {"f:a"}
        assert owners["Helm"].keys() - {"."} == {"f:b"}

    async def test_a_lost_race_changes_nothing(self, here: ClusterUnderTest) -> None:
        seen = await here.apply(CONFIG_MAP, colours(a="red"))
        await here.apply(CONFIG_MAP, colours(a="blue"))
        change = {"metadata": {"resourceVersion": seen["metadata"]["resourceVersion"]}, "data": {"a": "green"}}
        with pytest.raises(TemporaryError, match="the object has been modified") as refused:
            await here.meshward.patch(CONFIG_MAP, "colours", here.namespace, change)
        assert refused.value.reason == "Http409"
        assert (await here.meshward.get(CONFIG_MAP, "colours", here.namespace) or {})["data"] == {"a": "blue"}

    async def test_applying_over_a_version_that_has_changed_meanwhile_is_refused_also_by_force(
        self, here: ClusterUnderTest
    ) -> None:
        seen = await here.apply(CONFIG_MAP, colours(a="red"))
        await here.apply(CONFIG_MAP, colours(a="blue"))
        change = colours(a="green")
        change["metadata"] |= {"namespace": here.namespace, "resourceVersion": seen["metadata"]["resourceVersion"]}
        with pytest.raises(TemporaryError, match="the object has been modified") as refused:
            await here.meshward.apply(CONFIG_MAP, change, take_over=True)
        assert refused.value.reason == "Http409"

    @pytest.mark.parametrize("kind", WORKLOADS, ids=lambda kind: kind.kind)
    async def test_a_restart_rolls_until_every_pod_is_new_and_ready(self, here: ClusterUnderTest, kind: Kind) -> None:
        await here.run(kind, "web")
        await here.apply(DISRUPTION_BUDGET, budget("web", minAvailable="100%"))  # only evictions heed it
        old = await here.pods("web")
        with here.held():
            await here.restart("web")
            assert (await here.workload("web")).rolling
        await here.until(lambda: here.rolled_out("web"))
        assert (await here.workload("web")).restarted_at == _NOW
        new = {uid: p for uid, p in (await here.pods("web")).items() if "deletionTimestamp" not in p["metadata"]}
        assert len(new) == len(old) == 3
        assert new.keys().isdisjoint(old)
        proxies = [p for p in await here.proxies() if p.pod in {p["metadata"]["name"] for p in new.values()}]
        assert {p.workload for p in proxies} == {f"{kind.kind}/{here.namespace}/web"}
        assert all(p.started_at and p.started_at >= p.created_at for p in proxies)

    async def test_an_eviction_is_refused_until_the_disruption_budget_can_spare_a_pod(
        self, here: ClusterUnderTest
    ) -> None:
        await here.run(DEPLOYMENT, "web")
        name = next(iter((await here.pods("web")).values()))["metadata"]["name"]
        await here.apply(DISRUPTION_BUDGET, budget("web", minAvailable="100%"))

        async def is_refused() -> bool:
            refused = await here.evict(name)
            assert (refused.status_code, refused.json()["reason"]) == (429, "TooManyRequests")
            (cause,) = refused.json()["details"]["causes"]
            needed = "The disruption budget web needs 3 healthy pods and has 3 currently"
            return (cause["reason"], cause["message"]) == ("DisruptionBudget", needed)

        await here.until(is_refused)  # once the budget's controller has seen it
        await here.apply(DISRUPTION_BUDGET, budget("web", maxUnavailable=1))
        await here.until(lambda: here.evicted(name))
        assert (await here.evict("absent")).status_code == 404

    @pytest.mark.parametrize("kind", [STATEFUL_SET, DAEMON_SET], ids=lambda kind: kind.kind)
    async def test_pods_of_an_on_delete_strategy_stay_until_they_are_deleted(
        self, here: ClusterUnderTest, kind: Kind
    ) -> None:
        assert (await here.run(kind, "db", updateStrategy={"type": "OnDelete"})).obstacle
        old = await here.pods("db")
        await here.restart("db")
        for _ in range(10):
            await here.wait()
        assert (await here.pods("db")).keys() == old.keys()
        assert (await here.workload("db")).rolling
        for each in old.values():
            await here.meshward.delete(POD, each["metadata"]["name"], here.namespace)
        await here.until(lambda: here.rolled_out("db"))

    async def test_pods_of_jobs_and_bare_pods_have_no_workload_to_restart(self, here: ClusterUnderTest) -> None:
        job = pod("job", restartPolicy="Never")
        await here.apply(JOB, {"metadata": {"name": "job"}, "spec": {"template": job}})
        bare = pod("bare")
        await here.apply(POD, {**bare, "metadata": {**bare["metadata"], "name": "bare"}})

        async def both_run() -> bool:
            return len([p for p in await here.proxies() if p.started_at]) == 2

        await here.until(both_run)
        assert [p.workload for p in await here.proxies()] == ["", ""]

    async def test_a_namespace_ends_only_with_the_last_finalizer_in_it(self, here: ClusterUnderTest) -> None:
        held = {"metadata": {"name": "held", "finalizers": ["meshward.test/held"]}}
        await here.apply(CONFIG_MAP, held)
        await here.meshward.delete(NAMESPACE, here.namespace)

        async def is_ending() -> bool:
            found = await here.meshward.get(CONFIG_MAP, "held", here.namespace) or {}
            return "deletionTimestamp" in found["metadata"]

        await here.until(is_ending)
        found = await here.meshward.get(NAMESPACE, here.namespace) or {}
        assert found["status"]["phase"] == "Terminating"
        wanted = {**colours(a="red"), "metadata": {"name": "colours", "namespace": here.namespace}}
        with pytest.raises(TemporaryError, match="because it is being terminated"):
            await here.meshward.apply(CONFIG_MAP, wanted)
        await here.meshward.patch(CONFIG_MAP, "held", here.namespace, {"metadata": {"finalizers": None}})
        await here.until(lambda: _is_gone(here, NAMESPACE, here.namespace))

        async def is_refused_as_absent() -> bool:
            """An API server goes on to know the namespace as one that ends for a moment."""
            with pytest.raises(TemporaryError) as refused:
                await here.meshward.apply(CONFIG_MAP, wanted)
            return f'namespaces "{here.namespace}" not found' in refused.value.message

        await here.until(is_refused_as_absent)

    async def test_a_tls_secret_keeps_its_type_and_both_its_parts(self, here: ClusterUnderTest) -> None:
        parts = {name: base64.b64encode(b"PEM").decode() for name in ("tls.crt", "tls.key")}
        issuer = {"metadata": {"name": "issuer", "namespace": here.namespace}, "type": "kubernetes.io/tls"}
        with pytest.raises(PermanentError, match=r"data\[tls\.key\]: Required value"):
            await here.meshward.apply(SECRET, {**issuer, "data": {"tls.crt": parts["tls.crt"]}})
        made = await here.meshward.apply(SECRET, {**issuer, "data": parts})
        assert (made["type"], made["data"]) == ("kubernetes.io/tls", parts)
        renewed = {"data": {"tls.crt": base64.b64encode(b"NEW").decode(), "ca.crt": parts["tls.crt"]}}
        assert (await here.meshward.patch(SECRET, "issuer", here.namespace, renewed))["data"] == parts | renewed["data"]
        with pytest.raises(PermanentError, match=r"type: Invalid value: .*field is immutable"):
            await here.meshward.patch(SECRET, "issuer", here.namespace, {"type": "Opaque"})

    async def test_events_tell_what_they_are_about(self, here: ClusterUnderTest) -> None:
        await here.apply(EVENT, here.event(reason="Mixed"))
        (found,) = await here.meshward.list(EVENT, namespace=here.namespace)
        assert (found["involvedObject"]["name"], found["reason"]) == ("colours", "Mixed")

    async def test_a_token_that_has_run_out_is_refused(self, here: ClusterUnderTest) -> None:
        with pytest.raises(TemporaryError, match="401") as refused:
            await here.latecomer.list(CONFIG_MAP, namespace=here.namespace)
        assert refused.value.reason == "Forbidden"

    async def test_the_permission_that_is_missing_is_named(self, here: ClusterUnderTest) -> None:
        stranger, place = here.stranger, f'in the namespace "{here.namespace}"'
        attempts: dict[str, Awaitable[object]] = {
            'cannot list resource "pods" in API group "" at the cluster scope': stranger.list(POD),
            f'cannot get resource "configmaps" in API group "" {place}': stranger.get(CONFIG_MAP, "a", here.namespace),
            f'cannot patch resource "deployments" in API group "apps" {place}': stranger.patch(
                DEPLOYMENT, "web", here.namespace, {"spec": {"replicas": 5}}
            ),
            f'cannot get resource "pods/proxy" in API group "" {place}': stranger.metrics("web", here.namespace, 4191),
        }
        for permission, attempt in attempts.items():
            with pytest.raises(TemporaryError, match=f'403 .*User "[0-9a-f-]+" {permission}') as refused:
                await attempt
            assert refused.value.reason == "Forbidden"

    async def test_what_a_rotation_is_not_permitted_is_known_before_it_begins(self, here: ClusterUnderTest) -> None:
        assert await LinkerdMesh(here.meshward).missing_permissions() == []
        missing = await LinkerdMesh(here.stranger).missing_permissions()
        assert {"patch daemonsets.apps", "get pods/proxy", "list pods"} < set(missing)
        assert "patch secrets linkerd/linkerd-identity-issuer" in missing

    async def test_a_permission_is_known_by_its_namespace(self, here: ClusterUnderTest) -> None:
        await here.grant(CONFIG_MAP, "patch")
        patch = Permission("patch", CONFIG_MAP, here.namespace, "colours")
        await here.until(lambda: here.stranger.is_permitted(patch))
        for other in (
            patch._replace(verb="get"),
            patch._replace(namespace="default"),
            patch._replace(subresource="status"),
        ):
            assert not await here.stranger.is_permitted(other)

    async def test_applying_what_is_new_takes_the_permission_to_create_it_too(self, here: ClusterUnderTest) -> None:
        wanted = {**colours(a="red"), "metadata": {"name": "colours", "namespace": here.namespace}}
        await here.grant(CONFIG_MAP, "get", "patch")
        await here.until(lambda: _is_allowed(here.stranger.get(CONFIG_MAP, "colours", here.namespace)))
        with pytest.raises(
            TemporaryError, match='cannot create resource "configmaps" in API group "" in the namespace'
        ):
            await here.stranger.apply(CONFIG_MAP, wanted)
        await here.grant(CONFIG_MAP, "create", "patch")
        await here.until(lambda: _is_allowed(here.stranger.apply(CONFIG_MAP, wanted)))


async def _is_allowed(attempt: Awaitable[object]) -> bool:
    try:
        await attempt
    except TemporaryError as error:
        return error.reason != "Forbidden"
    return True


async def _exists(here: ClusterUnderTest, kind: Kind, name: str) -> bool:
    return await here.meshward.get(kind, name, here.namespace) is not None


async def _is_gone(here: ClusterUnderTest, kind: Kind, name: str) -> bool:
    return await here.meshward.get(kind, name) is None
