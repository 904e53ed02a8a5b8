"""Kubernetes objects that tests apply to API servers, and their kinds."""

from typing import Any

from shared.adapters.kubernetes.kinds import DAEMON_SET, DEPLOYMENT, STATEFUL_SET, Kind, Object

EVENT = Kind("", "v1", "Event", "events")
DISRUPTION_BUDGET = Kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
JOB = Kind("batch", "v1", "Job", "jobs")
ROLE = Kind("rbac.authorization.k8s.io", "v1", "Role", "roles")
ROLE_BINDING = Kind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings")
CLUSTER_ROLE_BINDING = Kind("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", False)
_ADMISSION = "admissionregistration.k8s.io"
POLICY = Kind(_ADMISSION, "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", False)
BINDING = Kind(_ADMISSION, "v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", False)
WORKLOADS = [DEPLOYMENT, STATEFUL_SET, DAEMON_SET]


def admin(user: str) -> Object:
    """Lets a user do everything."""
    group = CLUSTER_ROLE_BINDING.group
    return {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": user},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    }


def workload(kind: Kind, name: str, **spec: Any) -> Object:
    counted = {} if kind is DAEMON_SET else {"replicas": 3}
    served = {"serviceName": name} if kind is STATEFUL_SET else {}
    return {
        "metadata": {"name": name},
        "spec": {**counted, **served, "selector": {"matchLabels": {"app": name}}, "template": pod(name), **spec},
    }


def pod(name: str, **spec: Any) -> Object:
    """A meshed pod, as the injector leaves it."""
    proxy = {"name": "linkerd-proxy", "image": "proxy:1", "env": [{"name": "ROOTS", "value": "none"}]}
    labels = {"app": name, "linkerd.io/control-plane-ns": "linkerd"}
    containers = [{"name": "app", "image": "shop/app:1"}, proxy]
    return {"metadata": {"labels": labels}, "spec": {"containers": containers, **spec}}


def budget(name: str, **bound: int | str) -> Object:
    return {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"app": name}}, **bound}}


def eviction(name: str) -> Object:
    return {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}


def colours(**data: str) -> Object:
    return {"metadata": {"name": "colours"}, "data": data}


def collection_path(kind: Kind, namespace: str) -> str:
    within = f"namespaces/{namespace}/" if kind.namespaced else ""
    return f"{f'apis/{kind.group}' if kind.group else 'api'}/{kind.version}/{within}{kind.plural}"


def no_colours(namespace: str) -> list[tuple[Kind, Object]]:
    """The specs of a policy that refuses ConfigMaps called colours in one namespace, and of its binding."""
    rule = {"apiGroups": [""], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["configmaps"]}
    where = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    line = {"expression": "variables.name != 'colours'", "message": "no colours", "reason": "Forbidden"}
    policy = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule], "namespaceSelector": where},
        "variables": [{"name": "name", "expression": "object.metadata.?name.orValue('')"}],
        "validations": [line],
    }
    return [(POLICY, policy), (BINDING, {"policyName": namespace, "validationActions": ["Deny"]})]
