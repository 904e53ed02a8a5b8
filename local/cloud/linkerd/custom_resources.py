"""The kinds of objects that Linkerd brings to a cluster."""

from local.cloud.kubernetes.objects import Object

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


def definitions(minor: int) -> list[Object]:
    """The CustomResourceDefinitions of Linkerd 2.`minor`."""
    return [definition(served, kind) for served, kind in _KINDS.items() if minor >= _SINCE.get(kind, 0)]


def definition(served: str, kind: str) -> Object:
    """The CustomResourceDefinition of a kind; `served` is its apiVersion and plural."""
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
