"""Kinds of Kubernetes objects, where the API serves them, and what may be done to them."""

from typing import Any, NamedTuple

type Object = dict[str, Any]
type Objects = list[Object]


class Kind(NamedTuple):
    """A kind of objects and where the API serves it."""

    group: str  # API group; empty: the core group
    version: str  # of the group
    kind: str  # as objects name it
    plural: str  # as paths name it
    namespaced: bool = True  # whether its objects belong to a namespace

    @property
    def called(self) -> str:
        """What it is called; kinds of other groups have the names of Kubernetes' own."""
        return called(self.group, self.kind)


def called(group: str, kind: str) -> str:
    """What a kind is called: by its name where it is Kubernetes' own, otherwise with its group."""
    return kind if group in ("", "apps", "batch") else f"{kind}.{group}"


def kind_of(reference: Object) -> str:
    """What the kind of an object is called, or of what a reference is to."""
    return called(str(reference.get("apiVersion", "")).rpartition("/")[0], reference["kind"])


class Permission(NamedTuple):
    """A verb on objects of a kind."""

    verb: str  # of Kubernetes' RBAC: get, list, patch, …
    kind: Kind  # of the objects
    namespace: str = ""  # empty: in all namespaces
    name: str = ""  # empty: of any name
    subresource: str = ""  # such as `status`; empty: the object itself

    def __str__(self) -> str:
        what = "/".join(filter(None, (self.kind.plural, self.subresource)))
        where = "/".join(filter(None, (self.namespace, self.name)))
        return " ".join(filter(None, (self.verb, f"{what}.{self.kind.group}".rstrip("."), where)))


ACCESS_REVIEW = Kind("authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", False)
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps")
SECRET = Kind("", "v1", "Secret", "secrets")
POD = Kind("", "v1", "Pod", "pods")
SERVICE_ACCOUNT = Kind("", "v1", "ServiceAccount", "serviceaccounts")
VOLUME_CLAIM = Kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims")
NAMESPACE = Kind("", "v1", "Namespace", "namespaces", namespaced=False)
DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments")
REPLICA_SET = Kind("apps", "v1", "ReplicaSet", "replicasets")
DAEMON_SET = Kind("apps", "v1", "DaemonSet", "daemonsets")
STATEFUL_SET = Kind("apps", "v1", "StatefulSet", "statefulsets")
ROLLOUT = Kind("argoproj.io", "v1alpha1", "Rollout", "rollouts")  # of Argo Rollouts
NETWORK_POLICY = Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies")
RESOURCE_QUOTA = Kind("", "v1", "ResourceQuota", "resourcequotas")
