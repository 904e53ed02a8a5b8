"""Linkerd's objects in the forms that clusters hold them in."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.adapters.kubernetes.kinds import DAEMON_SET, DEPLOYMENT, ROLLOUT, STATEFUL_SET, Kind, Object
from shared.adapters.meshes import linkerd_objects as objects
from shared.domain.trust.certificates import fingerprint, pem
from tests.worlds.facts.certificates import NEW, OLD

MADE, STARTED = "2027-01-15T08:00:00Z", "2027-01-15T08:00:07Z"
ANCHORS = "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS"


def pod(*, native: bool = False, owner: tuple[str, str] | None = None, **anchors: Any) -> Object:
    container = {"name": "linkerd-proxy", "env": [{"name": ANCHORS, **anchors}]}
    status = {"name": "linkerd-proxy", "state": {"running": {"startedAt": STARTED}}}
    api, _, kind = (owner or ("", ""))[0].rpartition(" ")
    owners = [{"apiVersion": api or "apps/v1", "kind": kind, "name": owner[1], "controller": True}] if owner else []
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
    assert proxy.started_at == datetime(2027, 1, 15, 8, 0, 7, tzinfo=UTC)
    assert proxy.id == "shop/web-1"


def test_roots_that_come_from_the_bundle_are_not_known_from_the_pod() -> None:
    assert objects.proxy(pod(valueFrom={"configMapKeyRef": {}}), {}).roots is None
    assert objects.proxy(pod(value="nonsense"), {}).roots == frozenset()


@pytest.mark.parametrize(
    ("owner", "workload"),
    [
        (("ReplicaSet", "web-abc"), "Deployment/shop/web"),
        (("ReplicaSet", "rollout-abc"), "Rollout.argoproj.io/shop/web"),
        (("apps.kruise.io/v1beta1 StatefulSet", "db"), ""),
        (("apps.openshift.io/v1 DeploymentConfig", "web"), ""),
        (("ReplicaSet", "unknown"), ""),
        (("StatefulSet", "db"), "StatefulSet/shop/db"),
        (("DaemonSet", "agent"), "DaemonSet/shop/agent"),
        (("Job", "import"), ""),
        (None, ""),
    ],
)
def test_only_workloads_that_a_restart_replaces_own_a_proxy(owner: tuple[str, str] | None, workload: str) -> None:
    owners = {("shop", "web-abc"): ("Deployment", "web"), ("shop", "rollout-abc"): ("Rollout.argoproj.io", "web")}
    assert objects.proxy(pod(owner=owner, value=""), owners).workload == workload


@pytest.mark.parametrize(
    ("owner", "hash", "workload"),
    [
        (("ReplicaSet", "web-5d4f"), "5d4f", "Deployment/shop/web"),
        (("ReplicaSet", "web-v2-5d4f"), "5d4f", "Deployment/shop/web-v2"),
        (("ReplicaSet", "web-5d4f"), "77aa", None),  # somebody has labelled it so
        (("ReplicaSet", "rollout-5d4f"), "", None),
        (("StatefulSet", "db"), "5d4f", "StatefulSet/shop/db"),
        (None, "5d4f", ""),
    ],
)
def test_a_pod_tells_its_deployment_by_name_and_label_or_its_replica_set_has_to_be_asked(
    owner: tuple[str, str] | None, hash: str, workload: str | None
) -> None:
    seen = pod(owner=owner, value="")
    seen["metadata"]["labels"] = {"pod-template-hash": hash} if hash else {}
    assert objects.needs_owner(seen) is (workload is None)
    assert objects.proxy(seen, {}).workload == (workload or "")


def test_what_made_a_pod_is_told_where_no_restart_replaces_it() -> None:
    owners = {("shop", "rollout-abc"): ("Rollout.argoproj.io", "web")}
    made_by = [("apps.kruise.io/v1beta1 StatefulSet", "db"), ("batch/v1 Job", "import"), None]
    told = [objects.proxy(pod(owner=o, value=""), owners).controller for o in made_by]
    assert told == ["StatefulSet.apps.kruise.io", "Job", ""]


def workload(kind: Kind, spec: Object, **status: Any) -> Any:
    metadata = {"name": "web", "namespace": "shop", "resourceVersion": "7", "generation": 3}
    template = {"spec": {"containers": [{"name": "web"}]}}
    shown = {"observedGeneration": 3, **status}
    return objects.workload(kind, {"metadata": metadata, "spec": {"template": template, **spec}, "status": shown})


def replicas(total: int, updated: int, ready: int, **more: Any) -> dict[str, Any]:
    return {"replicas": total, "updatedReplicas": updated, "availableReplicas": ready, "readyReplicas": ready, **more}


@pytest.mark.parametrize(
    ("kind", "status", "rolling", "replaced"),
    [
        (DEPLOYMENT, replicas(3, 3, 3), False, True),
        (DEPLOYMENT, replicas(3, 3, 3, observedGeneration=2), True, False),
        (DEPLOYMENT, replicas(4, 3, 3), True, False),
        (DEPLOYMENT, replicas(3, 3, 2), True, True),
        (DEPLOYMENT, replicas(3, 1, 3), True, False),
        (STATEFUL_SET, replicas(3, 0, 3, currentRevision="a", updateRevision="a"), False, True),
        (STATEFUL_SET, replicas(3, 2, 3, currentRevision="a", updateRevision="b"), True, False),
        (DAEMON_SET, {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2}, False, True),
        (DAEMON_SET, {"desiredNumberScheduled": 2, "updatedNumberScheduled": 1, "numberAvailable": 2}, True, False),
        (DAEMON_SET, {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 1}, True, True),
        (DAEMON_SET, {}, False, True),
    ],
)
def test_a_rollout_is_over_when_every_pod_is_new_and_ready(
    kind: Kind, status: dict[str, Any], rolling: bool, replaced: bool
) -> None:
    found = workload(kind, {"replicas": 3}, **status)
    assert (found.rolling, found.replaced) == (rolling, replaced)


@pytest.mark.parametrize(
    ("spec", "status", "rolling", "replaced"),
    [
        ({}, replicas(3, 3, 3), False, True),
        ({}, replicas(4, 1, 4), False, True),  # a canary that waits: a restart replaces its pods all the same
        ({"restartAt": STARTED}, replicas(3, 3, 3), True, False),
        ({"restartAt": STARTED}, replicas(3, 3, 3, restartedAt=MADE), True, False),
        ({"restartAt": STARTED}, replicas(3, 3, 3, restartedAt=STARTED), False, True),
        ({"restartAt": STARTED}, replicas(3, 3, 2, restartedAt=STARTED), True, True),
    ],
)
def test_a_rollout_of_argo_is_restarted_once_it_says_so(
    spec: Object, status: dict[str, Any], rolling: bool, replaced: bool
) -> None:
    found = workload(ROLLOUT, {"replicas": 3, **spec}, **status)
    assert (found.id, found.rolling, found.replaced) == ("Rollout.argoproj.io/shop/web", rolling, replaced)
    assert (found.restarted_at is None) is (not spec)


def test_a_rollout_of_argo_may_have_the_template_of_another_object() -> None:
    metadata = {"name": "web", "namespace": "shop", "resourceVersion": "7", "generation": 3}
    found = objects.workload(ROLLOUT, {"metadata": metadata, "spec": {"workloadRef": {"name": "web"}}})
    assert (found.obstacle, found.replicas) == ("", 1)


def test_a_rollout_that_kubernetes_has_given_up_is_stuck() -> None:
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    assert workload(DEPLOYMENT, {"replicas": 3}, **replicas(4, 1, 3, conditions=[late])).stuck
    assert not workload(DEPLOYMENT, {"replicas": 3}, **replicas(4, 1, 3)).stuck


def test_a_workload_is_as_large_as_the_pods_that_it_is_to_have() -> None:
    assert workload(DEPLOYMENT, {"replicas": 3}).replicas == 3
    assert workload(STATEFUL_SET, {}).replicas == 1
    assert workload(DAEMON_SET, {}, desiredNumberScheduled=5).replicas == 5


def test_a_workload_scaled_to_nothing_does_not_roll() -> None:
    assert not workload(DEPLOYMENT, {"replicas": 0}).rolling


MANUAL = {"spec": {"containers": [{"name": "linkerd-proxy", "env": [{"name": ANCHORS, "value": "PEM"}]}]}}
CONTROL = {"spec": {"containers": [{"name": "linkerd-proxy", "env": [{"name": ANCHORS, "valueFrom": {}}]}]}}


@pytest.mark.parametrize(
    ("kind", "spec", "obstacle"),
    [
        (DEPLOYMENT, {}, ""),
        (DEPLOYMENT, {"template": CONTROL}, ""),
        (DEPLOYMENT, {"template": MANUAL}, "injected by hand, inject its template again"),
        (DEPLOYMENT, {"paused": True}, "its Deployment is paused, resume it"),
        (DAEMON_SET, {"updateStrategy": {"type": "OnDelete"}}, "its DaemonSet doesn't replace it, delete the pod"),
        (STATEFUL_SET, {"updateStrategy": {"type": "RollingUpdate"}}, ""),
        (STATEFUL_SET, {"updateStrategy": {"rollingUpdate": {"partition": 0}}}, ""),
        (
            STATEFUL_SET,
            {"updateStrategy": {"rollingUpdate": {"partition": 2}}},
            "its StatefulSet doesn't replace it, delete the pod",
        ),
    ],
)
def test_a_restart_does_not_help_where_the_template_or_strategy_is_fixed(
    kind: Kind, spec: Object, obstacle: str
) -> None:
    assert workload(kind, spec).obstacle == obstacle


@pytest.mark.parametrize("prefix", ["control_", ""])
def test_the_last_refresh_is_found_under_the_names_of_all_versions(prefix: str) -> None:
    text = (
        f'# HELP x y\n# TYPE x gauge\n{prefix}identity_cert_refresh_timestamp_seconds 1800000000.5\nup{{a="b c"}} 1\n\n'
    )
    values = objects.samples(text)
    assert values["up"] == 1
    assert objects.leaf_refreshed_at(values) == datetime.fromtimestamp(1_800_000_000.5, UTC)
    assert objects.leaf_refreshed_at({}) is None


def test_where_only_the_end_of_a_leaf_is_told_its_beginning_follows_from_its_lifetime() -> None:
    lifetime, values = (
        timedelta(hours=24, seconds=20),
        objects.samples("identity_cert_expiration_timestamp_seconds 1.8e9"),
    )
    assert objects.leaf_refreshed_at(values, lifetime) == datetime.fromtimestamp(1_800_000_000, UTC) - lifetime
    assert objects.leaf_refreshed_at(values) is None
    assert objects.leaf_refreshed_at({"identity_cert_expiration_timestamp_seconds": 0.0}, lifetime) is None, (
        "it has no leaf yet"
    )


@pytest.mark.parametrize(
    ("issuer", "lifetime"),
    [
        ("{issuanceLifetime: 24h0m0s, clockSkewAllowance: 20s}", timedelta(hours=24, seconds=20)),
        ("{issuanceLifetime: 1h30m, clockSkewAllowance: 500ms}", timedelta(hours=1.5, milliseconds=500)),
        ("{scheme: kubernetes.io/tls}", timedelta(hours=24, seconds=20)),
    ],
)
def test_the_lifetime_of_leaves_is_what_the_mesh_was_installed_with(issuer: str, lifetime: timedelta) -> None:
    config = objects.config(f"linkerdVersion: edge-25.4.4\nidentity: {{externalCA: true, issuer: {issuer}}}\n")
    assert (config.version, config.leaf_lifetime) == ("edge-25.4.4", lifetime)
