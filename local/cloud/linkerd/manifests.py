"""A Linkerd control plane's objects in external CA mode, and what the injector adds to a pod (Linkerd's Helm chart)."""

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

from local.cloud.kubernetes.objects import Object

NAMESPACE = "linkerd"
TRUST_ROOTS = "linkerd-identity-trust-roots"
ISSUER = "linkerd-identity-issuer"
WEBHOOK = "linkerd-proxy-injector-webhook-config"
BUNDLE_KEY = "ca-bundle.crt"
ANCHORS_ENV = "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS"
COMPONENT, CONTROL_PLANE_NS = "linkerd.io/control-plane-component", "linkerd.io/control-plane-ns"
_COMPONENTS = {
    "identity": ("identity",),
    "destination": ("destination", "sp-validator", "policy"),
    "proxy-injector": ("proxy-injector",),
}
RELEASES = {
    "2.14": ("stable-2.14.10", "v2.210.4"),
    "2.15": ("edge-24.2.4", "v2.221.0"),
    "2.16": ("edge-24.8.2", "v2.246.0"),
    "2.17": ("edge-24.11.8", "v2.268.0"),
    "2.18": ("edge-25.4.4", "v2.294.0"),
    "2.19": ("edge-25.10.7", "v2.326.0"),
    "2.20": ("edge-26.6.3", "v2.359.0"),
}
_KINDS = {
    "policy.linkerd.io/v1beta3 servers": "Server",
    "policy.linkerd.io/v1alpha1 meshtlsauthentications": "MeshTLSAuthentication",
    "policy.linkerd.io/v1alpha1 networkauthentications": "NetworkAuthentication",
    "policy.linkerd.io/v1alpha1 authorizationpolicies": "AuthorizationPolicy",
    "policy.linkerd.io/v1alpha1 egressnetworks": "EgressNetwork",
    "gateway.networking.k8s.io/v1 httproutes": "HTTPRoute",
    "gateway.networking.k8s.io/v1alpha2 tlsroutes": "TLSRoute",
    "gateway.networking.k8s.io/v1alpha2 tcproutes": "TCPRoute",
    "linkerd.io/v1alpha2 serviceprofiles": "ServiceProfile",
    "workload.linkerd.io/v1beta1 externalworkloads": "ExternalWorkload",
}
_OLDER = {"Server": ("v1beta1",)}
_SINCE = {"ExternalWorkload": 15, "EgressNetwork": 17, "TLSRoute": 17, "TCPRoute": 17}


@dataclass(frozen=True, kw_only=True)
class Installation:
    """What an operator chose at installation; `version` as 2.19."""

    trust_domain: str
    version: str
    native_sidecars: bool

    @property
    def release(self) -> str:
        return RELEASES[self.version][0]

    @property
    def proxy_version(self) -> str:
        return RELEASES[self.version][1]

    @property
    def minor(self) -> int:
        return int(self.version.partition(".")[2])


def control_plane(of: Installation, *, root_pem: str, issuer_cert_pem: str, issuer_key_pem: str) -> list[Object]:
    """Everything in the order in which it is applied."""
    issuer = {"tls.crt": issuer_cert_pem, "tls.key": issuer_key_pem, "ca.crt": root_pem}
    return [
        *(_definition(served, kind) for served, kind in _KINDS.items() if of.minor >= _SINCE.get(kind, 0)),
        _namespace(),
        _object("v1", "ConfigMap", TRUST_ROOTS, data={BUNDLE_KEY: root_pem}),
        _object(
            "v1",
            "Secret",
            ISSUER,
            type="kubernetes.io/tls",
            data={name: base64.b64encode(text.encode()).decode() for name, text in issuer.items()},
        ),
        _object("v1", "ConfigMap", "linkerd-config", data={"values": _values(of)}),
        _webhook(),
        *(_object("v1", "ServiceAccount", f"linkerd-{name}") for name in _COMPONENTS),
        *(_deployment(of, name, containers) for name, containers in _COMPONENTS.items()),
        *(_budget(name) for name in _COMPONENTS),
    ]


def link(target: str) -> list[Object]:
    """What the multicluster extension keeps of a link to another cluster, its CustomResourceDefinition first."""
    namespace = {"name": "linkerd-multicluster", "labels": {"linkerd.io/extension": "multicluster"}}
    spec = {
        "targetClusterName": target,
        "targetClusterDomain": "cluster.local",
        "targetClusterLinkerdNamespace": NAMESPACE,
        "clusterCredentialsSecret": f"cluster-credentials-{target}",
    }
    return [
        _definition("multicluster.linkerd.io/v1alpha1 links", "Link"),
        {"apiVersion": "v1", "kind": "Namespace", "metadata": namespace},
        {
            "apiVersion": "multicluster.linkerd.io/v1alpha1",
            "kind": "Link",
            "metadata": {"name": target, "namespace": namespace["name"]},
            "spec": spec,
        },
    ]


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
    init = [*spec.get("initContainers", ()), {"name": "linkerd-init", "image": "cr.l5d.io/linkerd/proxy-init:v2.4.3"}]
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


def _object(api: str, kind: str, name: str, **content: Any) -> Object:
    labels = {CONTROL_PLANE_NS: NAMESPACE, "app.kubernetes.io/part-of": "Linkerd"}
    meta = {"name": name, "namespace": NAMESPACE, "labels": labels}
    return {"apiVersion": api, "kind": kind, "metadata": meta, **content}


def _namespace() -> Object:
    labels = {"linkerd.io/is-control-plane": "true", "config.linkerd.io/admission-webhooks": "disabled"}
    meta = {"name": NAMESPACE, "labels": labels, "annotations": {"linkerd.io/inject": "disabled"}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}


def _definition(served: str, kind: str) -> Object:
    api, plural = served.split()
    group, version = api.split("/")
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural},
            "versions": [
                {"name": version, "served": True, "storage": True},
                *({"name": older, "served": True, "storage": False} for older in _OLDER.get(kind, ())),
            ],
        },
    }


def _webhook() -> Object:
    """Highly available installations reject pods that can't be injected."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": WEBHOOK, "labels": {COMPONENT: "proxy-injector", CONTROL_PLANE_NS: NAMESPACE}},
        "webhooks": [
            {
                "name": "linkerd-proxy-injector.linkerd.io",
                "failurePolicy": "Fail",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "clientConfig": {"service": {"name": "linkerd-proxy-injector", "namespace": NAMESPACE, "path": "/"}},
            }
        ],
    }


def _deployment(of: Installation, name: str, containers: tuple[str, ...]) -> Object:
    labels = {
        COMPONENT: name,
        CONTROL_PLANE_NS: NAMESPACE,
        "linkerd.io/workload-ns": NAMESPACE,
        "linkerd.io/proxy-deployment": f"linkerd-{name}",
    }
    annotations = {
        "linkerd.io/created-by": f"linkerd/helm {of.release}",
        "linkerd.io/proxy-version": of.release,
        "linkerd.io/trust-root-sha256": hashlib.sha256(b"").hexdigest(),  # the chart knows no roots in external mode
    }
    spec: Object = {
        "serviceAccountName": f"linkerd-{name}",
        "containers": [{"name": c, "image": f"cr.l5d.io/linkerd/controller:{of.release}"} for c in containers],
    }
    anchors = {"valueFrom": {"configMapKeyRef": {"name": TRUST_ROOTS, "key": BUNDLE_KEY}}}
    template = {"metadata": {"labels": labels, "annotations": annotations}, "spec": with_proxy(spec, of, anchors)}
    return _object(
        "apps/v1",
        "Deployment",
        f"linkerd-{name}",
        spec={
            "replicas": 3,
            "selector": {"matchLabels": {COMPONENT: name, CONTROL_PLANE_NS: NAMESPACE}},
            "strategy": {"rollingUpdate": {"maxUnavailable": 1, "maxSurge": "25%"}},
            "template": template,
        },
    )


def _budget(name: str) -> Object:
    selector = {"matchLabels": {COMPONENT: name}}
    return _object(
        "policy/v1", "PodDisruptionBudget", f"linkerd-{name}", spec={"maxUnavailable": 1, "selector": selector}
    )


def _values(of: Installation) -> str:
    return f"""\
clusterDomain: cluster.local
clusterNetworks: 10.0.0.0/8,100.64.0.0/10,172.16.0.0/12,192.168.0.0/16,fd00::/8
controllerReplicas: 3
enablePodDisruptionBudget: true
identity:
  externalCA: true
  issuer:
    clockSkewAllowance: 20s
    issuanceLifetime: 24h0m0s
    scheme: kubernetes.io/tls
    tls:
      crtPEM: ""
identityTrustAnchorsPEM: ""
identityTrustDomain: {of.trust_domain}
linkerdVersion: {of.release}
proxy:
  image:
    version: {of.release}
  nativeSidecar: {str(of.native_sidecars).lower()}
webhookFailurePolicy: Fail
"""
