"""What the proxy injector adds to a pod (Linkerd's Helm chart, partials)."""

import hashlib

from local.cloud.kubernetes.objects import Object
from local.cloud.linkerd.installation import ANCHORS_ENV, CONTROL_PLANE_NS, NAMESPACE, Installation

_UNPRIVILEGED: Object = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def injected(pod: Object, of: Installation, bundle: str) -> Object:
    """The pod with a proxy that trusts `bundle`."""
    meta, spec = pod["metadata"], pod["spec"]
    annotations = {
        "linkerd.io/created-by": f"linkerd/proxy-injector {of.release}",
        "linkerd.io/inject": "enabled",
        "linkerd.io/proxy-version": of.release,
        "linkerd.io/trust-root-sha256": hashlib.sha256(bundle.encode()).hexdigest(),
    }
    labels = {CONTROL_PLANE_NS: NAMESPACE, "linkerd.io/workload-ns": meta["namespace"], **_workload_label(pod)}
    return {
        **pod,
        "metadata": {
            **meta,
            "annotations": {**meta.get("annotations", {}), **annotations},
            "labels": {**meta.get("labels", {}), **labels},
        },
        "spec": with_proxy(spec, of, {"value": bundle}),
    }


def with_proxy(spec: Object, of: Installation, anchors: Object) -> Object:
    """A pod spec with the proxy as a container, or as a native sidecar."""
    proxy: Object = {
        "name": "linkerd-proxy",
        "image": f"cr.l5d.io/linkerd/proxy:{of.release}",
        "securityContext": {**_UNPRIVILEGED, "capabilities": {"drop": ["ALL"]}, "runAsUser": 2102},
        "ports": [{"name": "linkerd-proxy", "containerPort": 4143}, {"name": "linkerd-admin", "containerPort": 4191}],
        "env": [
            {"name": "_pod_name", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "_pod_ns", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {"name": "_pod_sa", "valueFrom": {"fieldRef": {"fieldPath": "spec.serviceAccountName"}}},
            {"name": ANCHORS_ENV, **anchors},
            {
                "name": "LINKERD2_PROXY_IDENTITY_LOCAL_NAME",
                "value": f"$(_pod_sa).$(_pod_ns).serviceaccount.identity.{NAMESPACE}.{of.trust_domain}",
            },
        ],
    }
    added = {"capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}, "runAsUser": 65534}
    rules = {"name": "linkerd-init", "image": "cr.l5d.io/linkerd/proxy-init:v2.4.3"}
    init = [*spec.get("initContainers", ()), {**rules, "securityContext": {**_UNPRIVILEGED, **added}}]
    if of.native_sidecars:
        return {**spec, "initContainers": [*init, {**proxy, "restartPolicy": "Always"}]}
    return {**spec, "initContainers": init, "containers": [proxy, *spec["containers"]]}


def proxy_of(pod: Object) -> Object | None:
    """The proxy's container, in whichever list it stands."""
    spec = pod["spec"]
    containers = [*spec.get("containers", ()), *spec.get("initContainers", ())]
    return next((c for c in containers if c["name"] == "linkerd-proxy"), None)


def _workload_label(pod: Object) -> dict[str, str]:
    for owner in pod["metadata"].get("ownerReferences", ()):
        if owner["kind"] == "ReplicaSet":
            return {"linkerd.io/proxy-deployment": owner["name"].rpartition("-")[0]}
        return {f"linkerd.io/proxy-{owner['kind'].lower()}": owner["name"]}
    return {}
