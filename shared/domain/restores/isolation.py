"""The isolated namespace that a cluster's backup is restored to: what may be restored there and what it may reach.

Rules:
- Nothing restored may act on production: it reaches its own namespace, DNS and the mesh's control plane, no more.
- A copy is hostile until shown otherwise. Only workloads and what they read are restored. No pods, since what no
  controller makes again may be a Job's; nothing that opens doors, grants rights or has a controller outside of the
  copy, whose finalizers may delete the real thing.
- The namespace is made, never adopted: its name can't be guessed, and its UID says that it is still the one that was
  made. In infra/cluster/base, places.yaml keeps others from making, marking or opening one, and copies.yaml confines
  what is in it.
- It keeps to pod security baseline, whatever its source does. Where Linkerd's CNI plugin isn't installed, the injector
  needs NET_ADMIN for its init container, which baseline refuses; the policy of copies.yaml admits that and no more.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from shared.domain.errors import PermanentError
from shared.domain.restores.injection import asks_for_proxy
from shared.domain.restores.manifest import VERIFIES_LABEL

RESTORED = (
    "configmaps",
    "secrets",
    "serviceaccounts",
    "persistentvolumes",
    "persistentvolumeclaims",
    "volumesnapshots.snapshot.storage.k8s.io",
    "volumesnapshotcontents.snapshot.storage.k8s.io",
    "volumesnapshotclasses.snapshot.storage.k8s.io",
    "deployments.apps",
    "statefulsets.apps",
    "daemonsets.apps",
)
"""What is restored. Volumes and their snapshots are those of restored claims: what belongs to no namespace isn't."""

MESH_NAMESPACE, CNI_NAMESPACE = "linkerd", "linkerd-cni"
POLICY_NAME = "meshward-isolation"
ENFORCING = ("azure", "calico", "cilium")  # the network policy engines of AKS
MOST_PODS, MOST_CLAIMS = 500, 100
_ENFORCE = "pod-security.kubernetes.io/enforce"
_NAME_LABEL = "kubernetes.io/metadata.name"
_INJECTION = (
    "linkerd.io/inject",
    "config.linkerd.io/default-inbound-policy",
    "config.linkerd.io/opaque-ports",
    "config.linkerd.io/skip-inbound-ports",
    "config.linkerd.io/skip-outbound-ports",
)

type Object = dict[str, Any]


def isolated_namespace(source: Mapping[str, Any], isolated: str, name: str, *, cni: bool) -> Object:
    """The namespace `isolated`, for a copy of `source`.

    `name` is the verification's, `cni` says whether Linkerd's CNI plugin is there.
    """
    asked = source["metadata"].get("annotations") or {}
    annotations = {key: asked[key] for key in _INJECTION if key in asked}
    level = "privileged" if asks_for_proxy(source["metadata"]) and not cni else "baseline"
    return {
        "metadata": {"name": isolated, "labels": {VERIFIES_LABEL: name, _ENFORCE: level}, "annotations": annotations}
    }


def bears_mark(namespace: Mapping[str, Any], name: str) -> bool:
    """Whether the namespace is labelled for the verification of this name, which proves nothing by itself."""
    return bool((namespace["metadata"].get("labels") or {}).get(VERIFIES_LABEL) == name)


def isolating_policy(isolated: str) -> Object:
    """The only network policy of the isolated namespace."""
    return {
        "metadata": {"name": POLICY_NAME, "namespace": isolated},
        "spec": {
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [{"podSelector": {}}]}],
            "egress": [
                {"to": [{"podSelector": {}}]},
                {"to": [{"namespaceSelector": {"matchLabels": {_NAME_LABEL: MESH_NAMESPACE}}}]},
                {
                    "to": [{"namespaceSelector": {"matchLabels": {_NAME_LABEL: "kube-system"}}}],
                    "ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")],
                },
            ],
        },
    }


def limiting_quota(isolated: str) -> Object:
    """What the copy in the isolated namespace may use of its cluster."""
    hard = {"pods": str(MOST_PODS), "persistentvolumeclaims": str(MOST_CLAIMS)}
    closed = {"services.loadbalancers": "0", "services.nodeports": "0"}
    return {"metadata": {"name": "meshward-limits", "namespace": isolated}, "spec": {"hard": hard | closed}}


def require_enforcing(cluster: str, engine: str) -> None:
    """Raise PermanentError where the cluster (by name) has no engine that enforces network policies."""
    if engine.lower() not in ENFORCING:
        message = (
            f"cluster {cluster} enforces no network policies ({engine or 'none'}), so a copy could act on production: "
            "give it an engine for them (docs/clusters.md), or name another one in verify.scratch_cluster"
        )
        raise PermanentError("NotEnforced", message)


def require_closed(isolated: str, policies: Iterable[Mapping[str, Any]]) -> None:
    """Raise PermanentError unless these network policies of an isolated namespace are the one that was made: policies
    add up.
    """
    others = [p["metadata"]["name"] for p in policies if p["metadata"]["name"] != POLICY_NAME]
    if others:
        raise PermanentError("NotIsolated", f"somebody has opened namespace {isolated}: {', '.join(others[:5])}")


def require_no_free_volume(volumes: Iterable[Mapping[str, Any]]) -> None:
    """Raise PermanentError if a restored claim could bind a volume that isn't a copy's: one that is there and free."""
    free = [v["metadata"]["name"] for v in volumes if (v.get("status") or {}).get("phase") == "Available"]
    if free:
        message = (
            f"restored claims could bind volumes that are free: {', '.join(free[:5])}. Remove them, or set "
            "verify.scratch_cluster"
        )
        raise PermanentError("VolumesFree", message)
