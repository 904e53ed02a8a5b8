"""The kinds of objects: those that every API server serves, and how messages name one."""

from typing import NamedTuple

from local.cloud.kubernetes.objects import Object

_BUILT_IN = """
v1 namespaces Namespace cluster
v1 nodes Node cluster
v1 persistentvolumes PersistentVolume cluster
v1 pods Pod
v1 configmaps ConfigMap
v1 secrets Secret
v1 services Service
v1 endpoints Endpoints
v1 serviceaccounts ServiceAccount
v1 events Event
v1 persistentvolumeclaims PersistentVolumeClaim
v1 resourcequotas ResourceQuota
apps/v1 deployments Deployment
apps/v1 replicasets ReplicaSet
apps/v1 statefulsets StatefulSet
apps/v1 daemonsets DaemonSet
batch/v1 jobs Job
batch/v1 cronjobs CronJob
policy/v1 poddisruptionbudgets PodDisruptionBudget
networking.k8s.io/v1 networkpolicies NetworkPolicy
networking.k8s.io/v1 ingresses Ingress
coordination.k8s.io/v1 leases Lease
storage.k8s.io/v1 storageclasses StorageClass cluster
rbac.authorization.k8s.io/v1 roles Role
rbac.authorization.k8s.io/v1 rolebindings RoleBinding
rbac.authorization.k8s.io/v1 clusterroles ClusterRole cluster
rbac.authorization.k8s.io/v1 clusterrolebindings ClusterRoleBinding cluster
admissionregistration.k8s.io/v1 mutatingwebhookconfigurations MutatingWebhookConfiguration cluster
admissionregistration.k8s.io/v1 validatingadmissionpolicies ValidatingAdmissionPolicy cluster
admissionregistration.k8s.io/v1 validatingadmissionpolicybindings ValidatingAdmissionPolicyBinding cluster
scheduling.k8s.io/v1 priorityclasses PriorityClass cluster
apiextensions.k8s.io/v1 customresourcedefinitions CustomResourceDefinition cluster
"""


class ResourceType(NamedTuple):
    """A resource type of the API."""

    group: str  # empty for the core group
    versions: tuple[str, ...]  # that are served; an object is stored in the version that was written last
    plural: str  # as in paths
    name: str  # the kind, such as Pod
    namespaced: bool
    custom: bool = False  # defined by a CustomResourceDefinition

    @property
    def full_name(self) -> str:
        """The kind with its group, which no other has: Pod., HTTPRoute.policy.linkerd.io."""
        return f"{self.name}.{self.group}"

    @property
    def resource(self) -> str:
        """The way messages name it: pods, deployments.apps."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


def new_kind(api_version: str, plural: str, name: str, *, namespaced: bool = True, custom: bool = True) -> ResourceType:
    """A kind of an apiVersion such as apps/v1."""
    group, _, version = api_version.rpartition("/")
    return ResourceType(group, (version,), plural, name, namespaced, custom)


def _built_in(line: str) -> ResourceType:
    api_version, plural, name, *scope = line.split()
    return new_kind(api_version, plural, name, namespaced=not scope, custom=False)


BUILT_IN = tuple(map(_built_in, _BUILT_IN.strip().split("\n")))


def details(kind: ResourceType, name: str) -> Object:
    """The details of a Status: which object it is about."""
    return {"name": name, "group": kind.group, "kind": kind.plural}
