"""What runs in restored namespaces, and whether it joined the mesh."""

from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shared.domain.restores.workloads import workloads_of

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)


def root() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "root")])
    made = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), NOW, NOW.replace(year=2037)
    )
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def pod(anchors: str | None, *, ready: bool = True, sidecar: bool = False, **metadata: Any) -> dict[str, Any]:
    proxy = {"name": "linkerd-proxy", "env": [{"name": "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS", "value": anchors}]}
    where, statuses = ("initContainers", "initContainerStatuses") if sidecar else ("containers", "containerStatuses")
    return {
        "metadata": {"name": "web", "namespace": "verify-shop", **metadata},
        "spec": {where: [proxy] if anchors is not None else []},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            statuses: [{"name": "linkerd-proxy", "ready": ready}],
        },
    }


INJECTED = {"metadata": {"name": "verify-shop", "annotations": {"linkerd.io/inject": "enabled"}}}


@pytest.mark.parametrize("sidecar", [False, True])
def test_a_pod_joined_the_mesh_if_its_ready_proxy_trusts_a_root_in_force(sidecar: bool) -> None:
    new, old = root(), root()
    assert workloads_of({"Pod": [pod(new + old, sidecar=sidecar)]}, new).settled
    assert workloads_of({"Pod": [pod(old, sidecar=sidecar)]}, new + old).settled
    assert workloads_of({"Pod": [pod(old, sidecar=sidecar)]}, new).outside_mesh == ("verify-shop/web",)
    assert workloads_of({"Pod": [pod(new, ready=False, sidecar=sidecar)]}, new).outside_mesh == ("verify-shop/web",)


@pytest.mark.parametrize("word", ["enabled", "ingress"])
def test_a_pod_without_the_proxy_that_it_or_its_namespace_asks_for_is_a_stranger(word: str) -> None:
    new, asking = root(), {"linkerd.io/inject": word}
    namespace = {"metadata": {"name": "verify-shop", "annotations": asking}}
    assert workloads_of({"Namespace": [namespace], "Pod": [pod(None)]}, new).outside_mesh == ("verify-shop/web",)
    assert workloads_of({"Pod": [pod(None, annotations=asking)]}, new).outside_mesh == ("verify-shop/web",)


def test_a_pod_that_asks_for_no_proxy_in_a_namespace_that_does_is_no_stranger() -> None:
    new = root()
    left_out = pod(None, annotations={"linkerd.io/inject": "disabled"})
    assert workloads_of({"Namespace": [INJECTED], "Pod": [left_out]}, new).meshed == 0


def test_a_workload_without_its_pods_isn_t_ready_and_a_finished_pod_needs_nothing() -> None:
    web = {"metadata": {"name": "web", "namespace": "n"}, "spec": {"replicas": 2}, "status": {"readyReplicas": 1}}
    done = {"metadata": {"name": "job", "namespace": "n"}, "status": {"phase": "Succeeded"}}
    found = workloads_of({"Deployment": [web], "Pod": [done]}, "")
    assert (found.unready, found.pods) == (("n/web",), 0)


def test_a_claim_without_its_volume_is_unbound() -> None:
    claim = {"metadata": {"name": "data", "namespace": "n"}, "status": {"phase": "Pending"}}
    waiting = {"metadata": {"name": "web", "namespace": "n"}, "spec": mounting("data"), "status": {"phase": "Pending"}}
    assert workloads_of({"PersistentVolumeClaim": [claim], "Pod": [waiting]}, "").unbound == ("n/data",)


def mounting(claim: str) -> dict[str, Any]:
    return {"volumes": [{"persistentVolumeClaim": {"claimName": claim}}]}


@pytest.mark.parametrize(("replicas", "unbound"), [(1, True), (0, False)])
def test_a_claim_that_nothing_is_to_use_isn_t_waited_for(replicas: int, unbound: bool) -> None:
    claim = {"metadata": {"name": "data", "namespace": "n"}, "status": {"phase": "Pending"}}
    spec = {"replicas": replicas, "template": {"spec": mounting("data")}}
    web = {"metadata": {"name": "web", "namespace": "n"}, "spec": spec}
    found = workloads_of({"PersistentVolumeClaim": [claim], "Deployment": [web]}, "")
    assert (found.unbound, found.unused) == ((("n/data",), ()) if unbound else ((), ("n/data",)))
    assert found.settled is not unbound


@pytest.mark.parametrize("owned", [True, False])
def test_a_failed_pod_counts_only_if_no_workload_has_another_one_in_its_place(owned: bool) -> None:
    owners = [{"kind": "ReplicaSet", "name": "web-1"}] if owned else []
    evicted = pod(None, ready=False, ownerReferences=owners)
    evicted["status"] |= {"phase": "Failed", "reason": "Evicted"}
    found = workloads_of({"Namespace": [INJECTED], "Pod": [evicted]}, root())
    assert (found.unready, found.outside_mesh) == (((), ()) if owned else (("verify-shop/web",), ("verify-shop/web",)))


def test_where_the_mesh_isn_t_meshward_s_nobody_has_to_join_it() -> None:
    found = workloads_of({"Namespace": [INJECTED], "Pod": [pod(root()), pod(None)]}, None)
    assert (found.meshed, found.outside_mesh) == (0, ())


def test_a_pod_that_no_node_has_room_for_is_homeless_and_one_that_awaits_its_volume_isn_t() -> None:
    def pending(message: str, **spec: Any) -> dict[str, Any]:
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
        status = {"phase": "Pending", "conditions": [condition]}
        return {"metadata": {"name": "web", "namespace": "n"}, "spec": spec, "status": status}

    volume = {"volumes": [{"persistentVolumeClaim": {"claimName": "data"}}]}
    claim = {"metadata": {"name": "data", "namespace": "n"}, "status": {"phase": "Pending"}}
    full = workloads_of(
        {"Pod": [pending("0/3 nodes are available: 3 Insufficient cpu.", **volume)], "PersistentVolumeClaim": [claim]},
        "",
    )
    assert (full.unschedulable, full.unready, full.unbound) == (("n/web",), (), ())
    waiting = pending("pod has unbound immediate PersistentVolumeClaims", **volume)
    unbound = workloads_of({"Pod": [waiting], "PersistentVolumeClaim": [claim]}, "")
    assert (unbound.unschedulable, unbound.unready, unbound.unbound) == ((), ("n/web",), ("n/data",))
