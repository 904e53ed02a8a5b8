"""A Linkerd control plane's objects in external CA mode (Linkerd's Helm chart)."""

import base64
import hashlib
from typing import Any

from local.cloud.kubernetes.objects import Object
from local.cloud.linkerd.custom_resources import definition, definitions
from local.cloud.linkerd.injection import with_proxy
from local.cloud.linkerd.installation import (
    BUNDLE_KEY,
    COMPONENT,
    CONTROL_PLANE_NS,
    ISSUER,
    NAMESPACE,
    TRUST_ROOTS,
    WEBHOOK,
    Installation,
)

_COMPONENTS = {
    "identity": ("identity",),
    "destination": ("destination", "sp-validator", "policy"),
    "proxy-injector": ("proxy-injector",),
}


def control_plane(of: Installation, *, root_pem: str, issuer_cert_pem: str, issuer_key_pem: str) -> list[Object]:
    """Everything in the order in which it is applied."""
    issuer = {"tls.crt": issuer_cert_pem, "tls.key": issuer_key_pem, "ca.crt": root_pem}
    return [
        *definitions(of.minor),
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
        definition("multicluster.linkerd.io/v1alpha1 links", "Link"),
        {"apiVersion": "v1", "kind": "Namespace", "metadata": namespace},
        {
            "apiVersion": "multicluster.linkerd.io/v1alpha1",
            "kind": "Link",
            "metadata": {"name": target, "namespace": namespace["name"]},
            "spec": spec,
        },
    ]


def _object(api: str, kind: str, name: str, **content: Any) -> Object:
    labels = {CONTROL_PLANE_NS: NAMESPACE, "app.kubernetes.io/part-of": "Linkerd"}
    meta = {"name": name, "namespace": NAMESPACE, "labels": labels}
    return {"apiVersion": api, "kind": kind, "metadata": meta, **content}


def _namespace() -> Object:
    labels = {"linkerd.io/is-control-plane": "true", "config.linkerd.io/admission-webhooks": "disabled"}
    meta = {"name": NAMESPACE, "labels": labels, "annotations": {"linkerd.io/inject": "disabled"}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}


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
