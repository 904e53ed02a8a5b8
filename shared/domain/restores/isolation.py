"""The isolated namespace that a cluster's backup is restored to: what may be restored there and what it may reach.

Rules:
- Nothing restored may act on production: it reaches its own namespace, DNS and the mesh's control plane, no more.
- What opens doors or starts work by itself isn't restored: ingresses, services (one of them may be a load balancer),
  jobs, autoscalers, other network policies (policies add up), what controllers turn into certificates or secrets, and
  the mesh's own policies, which name identities of other namespaces.
- The namespace exists before the restore, which skips what exists: so it carries what its source says about admission
  (sidecar injection, pod security). Injection needs NET_ADMIN for its init container, which "baseline" refuses.
"""

from collections.abc import Mapping
from typing import Any

from shared.domain.restores.injection import asks_for_proxy
from shared.domain.restores.manifest import VERIFIES_LABEL

NOT_RESTORED = (
    "ingresses.networking.k8s.io",
    "networkpolicies.networking.k8s.io",
    "services",
    "jobs.batch",
    "cronjobs.batch",
    "horizontalpodautoscalers.autoscaling",
    "validatingwebhookconfigurations.admissionregistration.k8s.io",
    "mutatingwebhookconfigurations.admissionregistration.k8s.io",
    "certificates.cert-manager.io",
    "externalsecrets.external-secrets.io",
    "servers.policy.linkerd.io",
    "authorizationpolicies.policy.linkerd.io",
    "meshtlsauthentications.policy.linkerd.io",
    "networkauthentications.policy.linkerd.io",
    "egressnetworks.policy.linkerd.io",
)
MESH_NAMESPACE = "linkerd"
_POD_SECURITY = "pod-security.kubernetes.io/"
_ENFORCE = f"{_POD_SECURITY}enforce"
_NAME_LABEL = "kubernetes.io/metadata.name"

type Object = dict[str, Any]


def isolated_namespace(source: Mapping[str, Any], isolated: str, name: str) -> Object:
    """The namespace `isolated`, for a copy of `source`; `name` is the verification's."""
    metadata = source["metadata"]
    annotations = _with_prefix(metadata.get("annotations"), "linkerd.io/")
    labels = _with_prefix(metadata.get("labels"), "linkerd.io/") | _with_prefix(metadata.get("labels"), _POD_SECURITY)
    labels.setdefault(_ENFORCE, "privileged" if asks_for_proxy(metadata) else "baseline")
    return {"metadata": {"name": isolated, "labels": {**labels, VERIFIES_LABEL: name}, "annotations": annotations}}


def is_own(namespace: Mapping[str, Any], name: str) -> bool:
    """Whether the namespace was made for the verification of this name."""
    return bool((namespace["metadata"].get("labels") or {}).get(VERIFIES_LABEL) == name)


def isolating_policy(isolated: str) -> Object:
    """The only network policy of the isolated namespace."""
    return {
        "metadata": {"name": "meshward-isolation", "namespace": isolated},
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


def _with_prefix(found: Mapping[str, str] | None, part: str) -> dict[str, str]:
    return {name: value for name, value in (found or {}).items() if part in name}
