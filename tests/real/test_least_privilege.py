"""The roles of infra/cluster let Meshward's identities do their work on a real API server, and nothing else.

Rules:
- Each single permission is taken away in turn, and the work must then stop at it by name.
- What is refused is refused by RBAC, or by one of the policies where RBAC can't tell apart what is ours.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import pytest

from local.cloud.world import World
from local.manifests import manifests
from local.scenario import cluster_names
from local.stage import DUTIES
from shared.adapters.kubernetes.kinds import Object
from shared.domain.errors import MeshwardError
from shared.domain.vaults.binding import NAMESPACE
from tests.real.control_plane import RealControlPlane
from tests.real.duties import SHOP, STANDING, Duties, on_duty, until

_ROLES = [m for m in manifests("linkerd", **dict.fromkeys(DUTIES, "-")) if m["kind"] in ("Role", "ClusterRole")]


@dataclass(frozen=True, kw_only=True)
class GrantedVerb:
    """One verb on one resource by one role; `name` if only on the object of that name."""

    kind: str
    role: str
    verb: str
    group: str
    resource: str
    name: str

    def __str__(self) -> str:
        return " ".join(filter(None, (self.kind, self.role, self.verb, self.resource, self.name)))

    @property
    def rule(self) -> Object:
        named = {"resourceNames": [self.name]} if self.name else {}
        return {"verbs": [self.verb], "apiGroups": [self.group], "resources": [self.resource], **named}


_OF_SOME = {"argoproj.io"}  # not every cluster has these groups: what waits for a restart is named instead


def permissions(role: Object) -> list[GrantedVerb]:
    kind, name = role["kind"], role["metadata"]["name"]
    parts = [
        part
        for rule in role["rules"]
        for part in product(rule["verbs"], rule["apiGroups"], rule["resources"], rule.get("resourceNames", [""]))
    ]
    return [
        GrantedVerb(kind=kind, role=name, verb=verb, group=group, resource=resource, name=of)
        for verb, group, resource, of in parts
    ]


@pytest.fixture(scope="module")
async def duties(world: World, real: RealControlPlane) -> AsyncIterator[Duties]:
    (cluster,) = cluster_names(1)
    async with on_duty(world, cluster, real.servers[cluster]) as duties:
        yield duties


_TRIED = {"get": "reading", "patch": "patching"}


def work_of(duties: Duties, role: str) -> Callable[[], Awaitable[None]]:
    works = {"rotator": duties.rotate, "verifier": duties.verify, "provisioner": duties.bind}
    return works[role.split("-")[1]]


async def failure(work: Callable[[], Awaitable[None]]) -> str:
    """What the work stops at; empty if it doesn't."""
    try:
        await work()
    except MeshwardError as error:
        return f"{error.reason}: {error.message}"
    return ""


@pytest.mark.parametrize("role", [f"meshward-{duty}" for duty in DUTIES])
async def test_the_roles_are_enough(duties: Duties, role: str) -> None:
    async def succeeds() -> bool:
        return not await failure(work_of(duties, role))

    await until(succeeds)


@pytest.mark.parametrize(
    "missing", [p for role in _ROLES for p in permissions(role) if p.group not in _OF_SOME], ids=str
)
async def test_each_permission_is_needed_and_named_when_it_is_missing(duties: Duties, missing: GrantedVerb) -> None:
    role = next(r for r in _ROLES if (r["kind"], r["metadata"]["name"]) == (missing.kind, missing.role))
    named = (f'cannot {missing.verb} resource "{missing.resource}" in API group "{missing.group}"', f'"{missing.name}"')
    if missing.resource == "secrets":  # of which nothing that the API server says is repeated but its reason
        named = (_TRIED[missing.verb], f"Secret {missing.name} in ")

    async def stops_there() -> bool:
        found = await failure(work_of(duties, missing.role))
        return found.startswith("Forbidden: ") and all(words in f'{found} ""' for words in named)

    async def is_known_beforehand() -> bool:
        return [each.startswith(f"{missing.verb} {missing.resource}") for each in await duties.lacking()] == [True]

    try:
        await duties.server.apply({**role, "rules": [p.rule for p in permissions(role) if p != missing]})
        await until(stops_there)
        if missing.role.startswith("meshward-rotator"):
            await until(is_known_beforehand)  # once what the test before took is noticed to be back
    finally:
        await duties.server.apply(role)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """Something that Meshward's identities must not do; `by` some of them, `words` are the refusal's."""

    what: str
    method: str
    path: str
    body: Object | None = None
    by: tuple[str, ...] = DUTIES
    words: str = "is forbidden: User"

    def __str__(self) -> str:
        return self.what


_PLACE = f"api/v1/namespaces/{STANDING}"
_SHOP, _LINKERD, _RBAC = f"api/v1/namespaces/{SHOP}", "api/v1/namespaces/linkerd", "apis/rbac.authorization.k8s.io/v1"
_WEB = f"apis/apps/v1/namespaces/{SHOP}/deployments/web"
_ADMISSION = "apis/admissionregistration.k8s.io/v1"
_CLUSTER_ADMIN = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
_BINDING = {"metadata": {"name": "more"}, "roleRef": _CLUSTER_ADMIN, "subjects": []}
_RESTARTS: dict[str, Any] = {"by": ("rotator",), "words": "may restart a workload and change nothing else"}
_METRICS: dict[str, Any] = {"by": ("rotator",), "words": "may read the metrics of Linkerd's proxies"}
_OWN: dict[str, Any] = {"by": ("verifier",), "words": "may change only the namespaces that it has made"}
_CONTAINER = {"name": "app", "image": "evil/app:1"}
_LABELLED = {"metadata": {"labels": {"meshward.io/verifies": "1"}}}
_BACKUP, _NETWORK = f"api/v1/namespaces/{NAMESPACE}", "apis/networking.k8s.io/v1"
_RUN, _PROVISIONER = {"metadata": {"name": "evil"}}, ("provisioner",)
_POLICY = {"metadata": {"name": "open"}, "spec": {"podSelector": {}}}
ATTEMPTS = [
    Attempt(what="list all secrets", method="GET", path="api/v1/secrets"),
    Attempt(what="list the mesh's secrets", method="GET", path=f"{_LINKERD}/secrets"),
    Attempt(what="read a secret elsewhere", method="GET", path=f"{_SHOP}/secrets/linkerd-identity-issuer"),
    Attempt(what="read another secret of the mesh", method="GET", path=f"{_LINKERD}/secrets/other"),
    Attempt(
        what="read the issuer's secret",
        method="GET",
        path=f"{_LINKERD}/secrets/linkerd-identity-issuer",
        by=("verifier", "provisioner"),
    ),
    Attempt(what="exec", method="POST", path=f"{_SHOP}/pods/web/exec"),
    Attempt(what="attach", method="POST", path=f"{_SHOP}/pods/web/attach"),
    Attempt(what="forward ports", method="POST", path=f"{_SHOP}/pods/web/portforward"),
    Attempt(what="debug", method="PATCH", path=f"{_SHOP}/pods/web/ephemeralcontainers", body={}),
    Attempt(what="post to a pod", method="POST", path=f"{_SHOP}/pods/web:4191/proxy/shutdown"),
    Attempt(what="reach a node", method="GET", path="api/v1/nodes/aks-nodepool1-vmss000000/proxy/metrics"),
    Attempt(what="run a pod", method="POST", path=f"{_SHOP}/pods", body=_RUN, by=("rotator", "provisioner")),
    Attempt(
        what="verifier: let itself in elsewhere",
        method="POST",
        path=f"apis/policy.linkerd.io/v1beta1/namespaces/{SHOP}/servers",
        body={
            "apiVersion": "policy.linkerd.io/v1beta1",
            "kind": "Server",
            "metadata": {"name": "open"},
            "spec": {"podSelector": {}, "port": 80},
        },
        **_OWN,
    ),
    Attempt(what="act as a service account", method="POST", path=f"{_SHOP}/serviceaccounts/default/token", body={}),
    Attempt(what="bind a role", method="POST", path=f"{_RBAC}/clusterrolebindings", body=_BINDING),
    Attempt(
        what="bind a role in the mesh", method="POST", path=f"{_RBAC}/namespaces/linkerd/rolebindings", body=_BINDING
    ),
    Attempt(what="widen a role", method="PATCH", path=f"{_RBAC}/clusterroles/meshward-rotator", body={"rules": []}),
    Attempt(
        what="lift a policy",
        method="DELETE",
        path=f"{_ADMISSION}/validatingadmissionpolicies/meshward-own-namespaces-only",
    ),
    Attempt(what="rotator: delete a namespace", method="DELETE", path=_SHOP, by=("rotator",)),
    Attempt(what="verifier: delete a foreign namespace", method="DELETE", path=_SHOP, **_OWN),
    Attempt(what="verifier: delete the mesh", method="DELETE", path=_LINKERD, **_OWN),
    Attempt(what="verifier: claim a foreign namespace", method="PATCH", path=_SHOP, body=_LABELLED, by=("verifier",)),
    Attempt(what="verifier: change its own pod", method="PATCH", path=f"{_PLACE}/pods/any", body={}, by=("verifier",)),
    Attempt(
        what="verifier: open its own namespace",
        method="PATCH",
        path=f"{_NETWORK}/namespaces/{STANDING}/networkpolicies/any",
        body={},
        by=("verifier",),
    ),
    Attempt(
        what="verifier: make a namespace of another name",
        method="POST",
        path="api/v1/namespaces",
        body={"metadata": {"name": "another", **_LABELLED["metadata"]}},
        **_OWN,
    ),
    Attempt(
        what="verifier: make a namespace without the label",
        method="POST",
        path="api/v1/namespaces",
        body={"metadata": {"name": "verify-shop-00000000"}},
        by=("verifier",),
        words="ValidatingAdmissionPolicy",
    ),
    Attempt(
        what="verifier: open a foreign namespace",
        method="POST",
        path=f"{_NETWORK}/namespaces/{SHOP}/networkpolicies",
        body=_POLICY,
        **_OWN,
    ),
    Attempt(what="provisioner: run a pod", method="POST", path=f"{_BACKUP}/pods", body=_RUN, by=_PROVISIONER),
    Attempt(what="provisioner: read secrets", method="GET", path=f"{_BACKUP}/secrets", by=_PROVISIONER),
    Attempt(
        what="provisioner: act as the backup workloads",
        method="POST",
        path=f"{_BACKUP}/serviceaccounts/backup/token",
        body={},
        by=_PROVISIONER,
    ),
    Attempt(
        what="provisioner: take another account",
        method="PATCH",
        path=f"{_BACKUP}/serviceaccounts/default",
        body={},
        by=_PROVISIONER,
    ),
    Attempt(
        what="provisioner: lift the network policy",
        method="DELETE",
        path=f"{_NETWORK}/namespaces/{NAMESPACE}/networkpolicies/backup",
        by=_PROVISIONER,
    ),
    Attempt(
        what="provisioner: open another namespace",
        method="POST",
        path=f"apis/policy.linkerd.io/v1alpha1/namespaces/{SHOP}/egressnetworks",
        body={"metadata": {"name": "open"}, "spec": {"trafficPolicy": "Allow"}},
        by=_PROVISIONER,
    ),
    Attempt(what="verifier: restart", method="PATCH", path=_WEB, body={}, by=("verifier",)),
    Attempt(
        what="rotator: run another image",
        method="PATCH",
        path=_WEB,
        body={"spec": {"template": {"spec": {"containers": [_CONTAINER]}}}},
        **_RESTARTS,
    ),
    Attempt(
        what="rotator: run as another account",
        method="PATCH",
        path=_WEB,
        body={"spec": {"template": {"spec": {"serviceAccountName": "root"}}}},
        **_RESTARTS,
    ),
    Attempt(
        what="rotator: annotate pods otherwise",
        method="PATCH",
        path=_WEB,
        body={"spec": {"template": {"metadata": {"annotations": {"linkerd.io/inject": "disabled"}}}}},
        **_RESTARTS,
    ),
    Attempt(what="rotator: scale", method="PATCH", path=_WEB, body={"spec": {"replicas": 0}}, **_RESTARTS),
    Attempt(what="rotator: scale below", method="PATCH", path=f"{_WEB}/scale", body={}, by=("rotator",)),
    Attempt(
        what="rotator: leave a workload to the garbage collector",
        method="PATCH",
        path=_WEB,
        body={"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "gone", "uid": "1"}]}},
        **_RESTARTS,
    ),
    Attempt(what="rotator: reach a pod's port", method="GET", path=f"{_SHOP}/pods/web:8080/proxy/metrics", **_METRICS),
    Attempt(what="rotator: reach a pod", method="GET", path=f"{_SHOP}/pods/web/proxy/metrics", **_METRICS),
    Attempt(what="rotator: reach a page", method="GET", path=f"{_SHOP}/pods/web:4191/proxy/env.json", **_METRICS),
]


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=str)
async def test_what_nobody_needs_is_refused(duties: Duties, attempt: Attempt) -> None:
    async def refused(by: str) -> bool:
        answer = await duties.send(by, attempt.method, attempt.path, attempt.body)
        return answer.status_code == 403 and attempt.words in answer.json()["message"]

    for duty in attempt.by:
        await until(partial(refused, duty))


async def test_nobody_else_is_kept_from_anything(duties: Duties) -> None:
    for method, path, body in (("PATCH", _WEB, {"spec": {"replicas": 2}}), ("DELETE", _SHOP, None)):
        answer = await duties.server.admin.request(
            method,
            path,
            params={"dryRun": "All"},
            json=body,
            headers={"Content-Type": "application/merge-patch+json" if body else "application/json"},
        )
        assert answer.is_success, answer.text
