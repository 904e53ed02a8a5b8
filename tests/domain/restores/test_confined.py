"""What a restored pod doesn't get is the same by the cluster's policy and by the verdict's word."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.cloud.clock import Clock
from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.errors import StatusError
from local.manifests import places
from shared.domain.restores.confined import excesses
from shared.domain.restores.refusals import CONFINED, SELFTEST

SPECS: list[dict[str, Any]] = [
    {},
    {"hostNetwork": True},
    {"hostPID": True},
    {"hostIPC": True},
    {"priority": 1000},
    {"priority": -1000},
    {"securityContext": {"sysctls": [{"name": "a", "value": "1"}]}},
    {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
    {"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}, "fsGroup": 1}},
    {"securityContext": {"seLinuxOptions": {"role": "r"}}},
    {"securityContext": {"windowsOptions": {"hostProcess": True}}},
]
VOLUMES: list[dict[str, Any]] = [
    {"configMap": {}},
    {"secret": {}},
    {"emptyDir": {}},
    {"projected": {}},
    {"downwardAPI": {}},
    {"persistentVolumeClaim": {"claimName": "data"}},
    {"ephemeral": {}},
    {"hostPath": {"path": "/"}},
    {"nfs": {}},
    {"azureFile": {}},
    {"azureDisk": {}},
    {"iscsi": {}},
    {"csi": {}},
    {"cephfs": {}},
]
CONTAINERS: list[dict[str, Any]] = [
    {},
    {"ports": [{"containerPort": 80}]},
    {"ports": [{"containerPort": 80, "hostPort": 80}]},
    {"securityContext": {"privileged": True}},
    {"securityContext": {"privileged": False, "runAsUser": 0}},
    {"securityContext": {"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}},
    {"securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}},
    {"securityContext": {"procMount": "Unmasked"}},
    {"securityContext": {"appArmorProfile": {"type": "Unconfined"}}},
]


@pytest.fixture(scope="module")
def cluster() -> SimulatedCluster:
    cluster = SimulatedCluster("aks-east", Clock(0))
    for manifest in places("verifier"):
        cluster.apply(manifest)
    return cluster


@given(st.sampled_from(SPECS), st.sampled_from(VOLUMES), st.sampled_from(CONTAINERS))
def test_a_pod_is_refused_if_and_only_if_it_asks_for_too_much(
    cluster: SimulatedCluster, spec: dict[str, Any], volume: dict[str, Any], container: dict[str, Any]
) -> None:
    own = {"name": "app", "image": "app:1", **container}
    pod = {**spec, "containers": [own], "volumes": [{"name": "v", **volume}]}
    metadata = {"name": "app", "namespace": SELFTEST}
    refused = ""
    try:
        cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod}, dry_run=True)
    except StatusError as error:
        refused = error.message
    assert (CONFINED in refused) is bool(excesses(pod)), (pod, refused)
