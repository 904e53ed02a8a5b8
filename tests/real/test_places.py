"""A real API server keeps strangers out of the places of copies, copies in, and a stolen verifier to the pods it makes.

Rules:
- A stranger here may do everything: what is refused is refused to cluster administrators, too.
- Each line of each policy is taken away in turn, and something must then be admitted that was refused.
- An API server takes a moment to notice a change of policies.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import msgspec
import pytest

from local.cloud.world import World
from local.manifests import places
from local.scenario import TRUST_DOMAIN as DOMAIN
from local.scenario import cluster_names
from shared.adapters.kubernetes.kinds import Object
from shared.domain.errors import MeshwardError, PermanentError
from shared.domain.restores.items import ClusterItem
from shared.domain.restores.refusals import CONFINED, OWN, RESERVED, SELFTEST
from tests.real.control_plane import RealControlPlane
from tests.real.duties import IMAGE, SHOP, STANDING, Duties, on_duty, until
from tests.worlds.facts.plans import a_manifest, a_plan
from tests.worlds.removal import at_once

_PLACE, _APPS = f"api/v1/namespaces/{STANDING}", f"apis/apps/v1/namespaces/{STANDING}"
_RBAC, _NETWORK = "apis/rbac.authorization.k8s.io/v1", "apis/networking.k8s.io/v1"
_CONTAINER: Object = {"name": "app", "image": "shop/app:1"}


@dataclass(frozen=True, kw_only=True)
class PlaceAttempt:
    """What a stranger tries, and which line of which policy refuses it."""

    what: str
    path: str
    body: Object | None
    policy: str
    line: int
    method: str = "POST"

    def __str__(self) -> str:
        return self.what


def pod(what: str, line: int, container: Object | None = None, **spec: Any) -> PlaceAttempt:
    """A pod of a copy that asks for more than it gets."""
    body = {"metadata": {"name": "evil"}, "spec": {"containers": [{**_CONTAINER, **(container or {})}], **spec}}
    return PlaceAttempt(what=f"a copy's pod with {what}", path=f"{_PLACE}/pods", body=body, policy=CONFINED, line=line)


def secured(what: str, line: int, **context: Any) -> PlaceAttempt:
    return pod(what, line, {"securityContext": context})


def mounted(what: str, **volume: Any) -> PlaceAttempt:
    return pod(what, 4, volumes=[{"name": "evil", **volume}])


def kind(what: str, path: str, body: Object) -> PlaceAttempt:
    return PlaceAttempt(what=f"a copy's {what}", path=path, body=body, policy=CONFINED, line=0)


_RULE = {"metadata": {"name": "evil"}, "rules": []}
_BOUND = {
    "metadata": {"name": "evil"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
}
_TEMPLATE = {"spec": {"restartPolicy": "Never", "containers": [_CONTAINER]}}
_LABEL = {"labels": {"meshward.io/verifies": "evil"}}
STRANGERS = [
    PlaceAttempt(
        what="a place made first",
        path="api/v1/namespaces",
        body={"metadata": {"name": "verify-shop-0011223344556677"}},
        policy=RESERVED,
        line=0,
    ),
    PlaceAttempt(
        what="a namespace with the label",
        path="api/v1/namespaces",
        body={"metadata": {"name": "other", **_LABEL}},
        policy=RESERVED,
        line=0,
    ),
    PlaceAttempt(
        what="a label for a namespace that is there",
        method="PATCH",
        path=f"api/v1/namespaces/{SHOP}",
        body={"metadata": _LABEL},
        policy=RESERVED,
        line=1,
    ),
    PlaceAttempt(
        what="a place without its pod security",
        method="PATCH",
        path=_PLACE,
        body={"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}},
        policy=RESERVED,
        line=1,
    ),
    PlaceAttempt(
        what="a network policy that opens a place",
        path=f"{_NETWORK}/namespaces/{STANDING}/networkpolicies",
        body={"metadata": {"name": "open"}, "spec": {"podSelector": {}, "egress": [{}], "policyTypes": ["Egress"]}},
        policy=RESERVED,
        line=2,
    ),
    kind("role", f"{_RBAC}/namespaces/{STANDING}/roles", _RULE),
    kind("role binding", f"{_RBAC}/namespaces/{STANDING}/rolebindings", _BOUND),
    kind("service", f"{_PLACE}/services", {"metadata": {"name": "evil"}, "spec": {"ports": [{"port": 80}]}}),
    kind(
        "job", f"apis/batch/v1/namespaces/{STANDING}/jobs", {"metadata": {"name": "x"}, "spec": {"template": _TEMPLATE}}
    ),
    kind(
        "custom resource",
        f"apis/policy.linkerd.io/v1alpha1/namespaces/{STANDING}/egressnetworks",
        {
            "apiVersion": "policy.linkerd.io/v1alpha1",
            "kind": "EgressNetwork",
            "metadata": {"name": "evil", "finalizers": ["cloud.example/delete-the-real-thing"]},
        },
    ),
    pod("the node's network", 1, hostNetwork=True),
    pod("the node's processes", 1, hostPID=True),
    pod("the node's memory", 1, hostIPC=True),
    pod("a port of the node", 1, {"ports": [{"containerPort": 80, "hostPort": 80}]}),
    secured("privileges", 2, privileged=True),
    secured("a capability", 2, capabilities={"add": ["SYS_ADMIN"]}),
    pod("all of /proc", 2, {"securityContext": {"procMount": "Unmasked"}}, hostUsers=False),
    pod("sysctls", 3, securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}),
    secured("no seccomp profile", 3, seccompProfile={"type": "Unconfined"}),
    secured("another SELinux role", 3, seLinuxOptions={"role": "evil"}),
    mounted("a directory of the node", hostPath={"path": "/"}),
    mounted("an NFS volume", nfs={"server": "nfs.invalid", "path": "/"}),
    mounted("a share of Azure Files", azureFile={"secretName": "any", "shareName": "orders"}),
    mounted("an iSCSI volume", iscsi={"targetPortal": "10.0.0.1", "iqn": "iqn.2027-01.example:evil", "lun": 0}),
    mounted("an inline CSI volume", csi={"driver": "file.csi.azure.com"}),
    pod("production's priority", 5, priorityClassName="high"),
]


@pytest.fixture(scope="module")
async def duties(world: World, real: RealControlPlane) -> AsyncIterator[Duties]:
    name = cluster_names(2)[1]  # the other one's policies are taken away elsewhere
    async with on_duty(world, name, real.servers[name]) as duties:
        await duties.server.apply(
            {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"}, "value": 1000}
        )
        yield duties


async def refused_by(duties: Duties, attempt: PlaceAttempt) -> str:
    """What a cluster administrator is told."""
    content = {"PATCH": "application/merge-patch+json"}.get(attempt.method, "application/json")
    answer = await duties.server.admin.request(
        attempt.method,
        attempt.path,
        params={"dryRun": "All"},
        json=attempt.body,
        headers={"Content-Type": content},
    )
    return "" if answer.is_success else str(answer.json()["message"])


@pytest.mark.parametrize("attempt", STRANGERS, ids=str)
async def test_what_a_stranger_does_to_a_place_and_a_copy_to_its_cluster_is_refused(
    duties: Duties, attempt: PlaceAttempt
) -> None:
    async def refused() -> bool:
        return f"ValidatingAdmissionPolicy '{attempt.policy}'" in await refused_by(duties, attempt)

    await until(refused)


async def test_what_runs_elsewhere_is_hindered_by_nothing(duties: Duties) -> None:
    for attempt in STRANGERS:
        if attempt.policy == CONFINED and attempt.body:
            said = await refused_by(duties, replace(attempt, path=attempt.path.replace(STANDING, SHOP)))
            assert "ValidatingAdmissionPolicy" not in said, (attempt, said)


async def test_the_selftest_finds_every_policy_at_work_and_the_pod_that_is_made_admitted(duties: Duties) -> None:
    async def proven() -> bool:
        return await duties.namespaces.unproven(duties.cluster, DOMAIN, IMAGE) == []

    await until(proven)


def lines() -> Iterator[tuple[str, int]]:
    for manifest in places("-"):
        for line in range(len(manifest["spec"].get("validations", ())) if "spec" in manifest else 0):
            yield manifest["metadata"]["name"], line


@pytest.mark.parametrize(("name", "line"), list(lines()), ids=str)
async def test_each_line_of_each_policy_refuses_something_that_no_other_does(
    duties: Duties, name: str, line: int
) -> None:
    if (name, line) in _NOT_TRIED:
        pytest.skip(_NOT_TRIED[name, line])
    policy = next(m for m in places(duties.verifier) if (m["kind"], m["metadata"]["name"]) == (_KIND, name))
    kept = [each for number, each in enumerate(policy["spec"]["validations"]) if number != line]
    try:
        await duties.server.apply({**policy, "spec": {**policy["spec"], "validations": kept}})
        await until(partial(_is_missed, duties, name, line))
    finally:
        await duties.server.apply(policy)


async def _is_missed(duties: Duties, name: str, line: int) -> bool:
    """Whether the self-test, or a stranger, finds the line missing."""
    return all([await _is_missed_now(duties, name, line) for _ in range(3)])  # while a policy changes, none may act


async def _is_missed_now(duties: Duties, name: str, line: int) -> bool:
    tried = [attempt for attempt in STRANGERS if (attempt.policy, attempt.line) == (name, line)]
    for attempt in tried:
        if f"ValidatingAdmissionPolicy '{name}'" in await refused_by(duties, attempt):
            return False
    return bool(tried) or bool(await duties.namespaces.unproven(duties.cluster, DOMAIN, IMAGE))


_KIND = "ValidatingAdmissionPolicy"
_NOT_TRIED = {
    (CONFINED, 6): "a debug container needs a pod that runs",
    (OWN, 0): "tried by test_least_privilege",
}


async def test_a_namespace_that_was_made_before_is_never_adopted(duties: Duties) -> None:
    plan = a_plan(
        item=ClusterItem(id="i", source_id=duties.cluster), target_id=duties.cluster, isolated={SHOP: SELFTEST}
    )
    with pytest.raises(PermanentError, match="PlaceTaken"):
        await duties.namespaces.isolate(plan)


async def test_a_hostile_workload_is_restored_without_its_pods_and_told(duties: Duties) -> None:
    labels = {"app": "hostile"}
    template = {
        "metadata": {"labels": labels},
        "spec": {"hostNetwork": True, "hostPID": True, "containers": [_CONTAINER]},
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "hostile", "namespace": STANDING},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
    }
    await duties.server.apply(deployment)
    plan = a_plan(
        item=ClusterItem(id="i", source_id=duties.cluster), target_id=duties.cluster, isolated={SHOP: STANDING}
    )

    async def is_told() -> bool:
        found = (await duties.server.admin.get(f"{_APPS}/deployments/hostile")).json()
        said = " ".join(c.get("message", "") for c in found["status"].get("conditions", ()))
        return CONFINED in said

    await until(is_told)
    copy = await duties.namespaces.copy(plan, a_manifest(), [])
    assert copy.workloads is not None
    assert (copy.workloads.pods, copy.workloads.unready) == (0, ())
    assert copy.workloads.left_out == (f"{STANDING}/hostile (hostNetwork, hostPID)",)


async def test_a_stranger_s_namespace_in_place_of_the_one_that_was_made_gets_nothing(duties: Duties) -> None:
    place = "verify-shop-8899aabbccddeeff"
    plan = a_plan(item=ClusterItem(id="i", source_id=duties.cluster), target_id=duties.cluster, isolated={SHOP: place})
    uids = await duties.namespaces.isolate(plan)
    other = msgspec.structs.replace(plan, uids=dict.fromkeys(uids, "another"))
    for act in (duties.namespaces.require_isolated(other), duties.namespaces.call(other, [])):
        with pytest.raises(MeshwardError, match="PlaceTaken"):
            await act
    assert await duties.namespaces.remove(other, at_once) == []
    assert await duties.namespaces.remove(msgspec.structs.replace(plan, uids=uids), at_once) == [place]
