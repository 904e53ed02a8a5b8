"""Who may do what: RBAC over the roles and bindings that the cluster stores (Kubernetes docs).

Rules: what roles grant adds up, nothing is denied; a RoleBinding grants in its own namespace; `cluster-admin` may do
everything. Users are the object ids of Entra's principals, as on AKS; groups and service accounts aren't simulated.
"""

from collections.abc import Iterator

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.errors import StatusError
from local.cloud.kubernetes.kinds import ResourceType, details
from local.cloud.kubernetes.objects import Object

_ALL = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}


def forbidden(
    cluster: SimulatedCluster, user: str, verb: str, kind: ResourceType, *, below: str, namespace: str | None, name: str
) -> StatusError | None:
    """The refusal that names the missing permission, None for what the user may do."""
    resource = f"{kind.plural}/{below}" if below else kind.plural
    if any(_allows(rule, verb, kind.group, resource, name) for rule in _rules(cluster, user, namespace)):
        return None
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    what = f'{kind.resource} "{name}"' if name else kind.resource
    missing = f'cannot {verb} resource "{resource}" in API group "{kind.group}" {where}'
    return StatusError(403, "Forbidden", f'{what} is forbidden: User "{user}" {missing}', details(kind, name))


def _rules(cluster: SimulatedCluster, user: str, namespace: str | None) -> Iterator[Object]:
    bindings = [
        *cluster.objects("ClusterRoleBinding"),
        *(cluster.objects("RoleBinding", namespace) if namespace else ()),
    ]
    for binding in bindings:
        if any((s["kind"], s["name"]) == ("User", user) for s in binding.get("subjects", ())):
            role = binding["roleRef"]
            if (role["kind"], role["name"]) == ("ClusterRole", "cluster-admin"):
                yield _ALL
            found = cluster.find(role["kind"], binding["metadata"].get("namespace", ""), role["name"])
            yield from (found or {}).get("rules", ())


def _allows(rule: Object, verb: str, group: str, resource: str, name: str) -> bool:
    named = rule.get("resourceNames", [])
    parts = (("verbs", verb), ("apiGroups", group), ("resources", resource))
    return all({"*", asked} & set(rule.get(part, ())) for part, asked in parts) and (not named or name in named)
