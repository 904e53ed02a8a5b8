"""Linkerd's objects in the forms that clusters hold them in."""

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.adapters import linkerd_objects as objects
from shared.adapters.kubernetes import DAEMON_SET, DEPLOYMENT, STATEFUL_SET, Kind, Object
from shared.domain.trust_certificates import fingerprint, pem
from tests.domain.test_trust_certificates import NEW, OLD

MADE, STARTED = "2027-01-15T08:00:00Z", "2027-01-15T08:00:07Z"
ANCHORS = "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS"


def pod(*, native: bool = False, owner: tuple[str, str] | None = None, **anchors: Any) -> Object:
    container = {"name": "linkerd-proxy", "env": [{"name": ANCHORS, **anchors}]}
    status = {"name": "linkerd-proxy", "state": {"running": {"startedAt": STARTED}}}
    owners = [{"kind": owner[0], "name": owner[1], "controller": True}] if owner else []
    return {
        "metadata": {"name": "web-1", "namespace": "shop", "creationTimestamp": MADE, "ownerReferences": owners},
        "spec": {"containers": [{"name": "web"}, *[container][native:]], "initContainers": [container][: int(native)]},
        "status": {"phase": "Running", ("initContainerStatuses" if native else "containerStatuses"): [status]},
    }


@pytest.mark.parametrize("native", [False, True])
def test_a_proxy_is_found_as_container_or_as_native_sidecar(native: bool) -> None:
    seen = pod(native=native, value=pem(NEW) + pem(OLD))
    assert objects.has_live_proxy(seen)
    proxy = objects.proxy(seen, {})
    assert proxy.roots == frozenset({fingerprint(NEW), fingerprint(OLD)})
    assert proxy.started == datetime(2027, 1, 15, 8, 0, 7, tzinfo=UTC)
    assert proxy.id == "shop/web-1"


def test_roots_that_come_from_the_bundle_are_not_known_from_the_pod() -> None:
    assert objects.proxy(pod(valueFrom={"configMapKeyRef": {}}), {}).roots is None
    assert objects.proxy(pod(value="nonsense"), {}).roots == frozenset()


@pytest.mark.parametrize(
    ("owner", "workload"),
    [
        (("ReplicaSet", "web-abc"), "Deployment/shop/web"),
        (("ReplicaSet", "rollout-abc"), ""),
        (("ReplicaSet", "unknown"), ""),
        (("StatefulSet", "db"), "StatefulSet/shop/db"),
        (("DaemonSet", "agent"), "DaemonSet/shop/agent"),
        (("Job", "import"), ""),
        (None, ""),
    ],
)
def test_only_workloads_that_a_restart_replaces_own_a_proxy(owner: tuple[str, str] | None, workload: str) -> None:
    owners = {("shop", "web-abc"): ("Deployment", "web"), ("shop", "rollout-abc"): ("Rollout", "web")}
    assert objects.proxy(pod(owner=owner, value=""), owners).workload == workload


def workload(kind: Kind, spec: Object, **status: Any) -> Any:
    metadata = {"name": "web", "namespace": "shop", "resourceVersion": "7", "generation": 3}
    template = {"spec": {"containers": [{"name": "web"}]}}
    shown = {"observedGeneration": 3, **status}
    return objects.workload(kind, {"metadata": metadata, "spec": {"template": template, **spec}, "status": shown})


def replicas(total: int, updated: int, ready: int, **more: Any) -> dict[str, Any]:
    return {"replicas": total, "updatedReplicas": updated, "availableReplicas": ready, "readyReplicas": ready, **more}


@pytest.mark.parametrize(
    ("kind", "status", "rolling"),
    [
        (DEPLOYMENT, replicas(3, 3, 3), False),
        (DEPLOYMENT, replicas(3, 3, 3, observedGeneration=2), True),
        (DEPLOYMENT, replicas(4, 3, 3), True),
        (DEPLOYMENT, replicas(3, 3, 2), True),
        (DEPLOYMENT, replicas(3, 1, 3), True),
        (STATEFUL_SET, replicas(3, 0, 3, currentRevision="a", updateRevision="a"), False),
        (STATEFUL_SET, replicas(3, 2, 3, currentRevision="a", updateRevision="b"), True),
        (DAEMON_SET, {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2}, False),
        (DAEMON_SET, {"desiredNumberScheduled": 2, "updatedNumberScheduled": 1, "numberAvailable": 2}, True),
        (DAEMON_SET, {}, False),
    ],
)
def test_a_rollout_is_over_when_every_pod_is_new_and_ready(kind: Kind, status: dict[str, Any], rolling: bool) -> None:
    assert workload(kind, {"replicas": 3}, **status).rolling is rolling


def test_a_workload_scaled_to_nothing_does_not_roll() -> None:
    assert not workload(DEPLOYMENT, {"replicas": 0}).rolling


MANUAL = {"spec": {"containers": [{"name": "linkerd-proxy", "env": [{"name": ANCHORS, "value": "PEM"}]}]}}
CONTROL = {"spec": {"containers": [{"name": "linkerd-proxy", "env": [{"name": ANCHORS, "valueFrom": {}}]}]}}


@pytest.mark.parametrize(
    ("kind", "spec", "fixed"),
    [
        (DEPLOYMENT, {}, False),
        (DEPLOYMENT, {"template": CONTROL}, False),
        (DEPLOYMENT, {"template": MANUAL}, True),
        (DEPLOYMENT, {"paused": True}, True),
        (STATEFUL_SET, {"updateStrategy": {"type": "OnDelete"}}, True),
        (STATEFUL_SET, {"updateStrategy": {"type": "RollingUpdate"}}, False),
    ],
)
def test_a_restart_does_not_help_where_the_template_or_strategy_is_fixed(kind: Kind, spec: Object, fixed: bool) -> None:
    assert workload(kind, spec).fixed is fixed


@pytest.mark.parametrize(
    ("managers", "owner"),
    [
        (["kubectl-create", "kubectl"], ""),
        (["meshward"], ""),
        (["kubectl", "Helm"], "Helm"),
        (["meshward", "trust-manager"], "trust-manager"),
    ],
)
def test_who_holds_a_field_is_read_from_its_managers(managers: list[str], owner: str) -> None:
    entries = [{"manager": m, "fieldsV1": {"f:data": {".": {}, "f:ca-bundle.crt": {}}}} for m in managers]
    other = {"manager": "Helm-labels", "fieldsV1": {"f:metadata": {"f:labels": {}}}}
    found = {"metadata": {"managedFields": [other, *entries]}}
    assert objects.owner(found, "f:data", "f:ca-bundle.crt") == owner


@pytest.mark.parametrize("prefix", ["control_", ""])
def test_the_last_refresh_is_found_under_the_names_of_all_versions(prefix: str) -> None:
    text = (
        f'# HELP x y\n# TYPE x gauge\n{prefix}identity_cert_refresh_timestamp_seconds 1800000000.5\nup{{a="b c"}} 1\n\n'
    )
    values = objects.samples(text)
    assert values["up"] == 1
    assert objects.refreshed(values) == datetime.fromtimestamp(1_800_000_000.5, UTC)
    assert objects.refreshed({}) is None
