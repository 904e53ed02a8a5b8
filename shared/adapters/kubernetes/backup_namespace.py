"""The namespace of a cluster's backup workloads: their service account and what the mesh lets them do."""

from collections.abc import Sequence

from shared.adapters.kubernetes.api import ClusterApi, Kubernetes
from shared.adapters.kubernetes.errors import Absent
from shared.adapters.kubernetes.kinds import SERVICE_ACCOUNT, Kind, Object, Permission
from shared.domain.errors import NotConverged, PermanentError
from shared.domain.vaults.binding import ACCOUNT, NAMESPACE, covers

_KINDS = {
    kind.kind: kind
    for kind in (
        SERVICE_ACCOUNT,
        Kind("policy.linkerd.io", "v1beta3", "Server", "servers"),
        Kind("policy.linkerd.io", "v1alpha1", "MeshTLSAuthentication", "meshtlsauthentications"),
        Kind("policy.linkerd.io", "v1alpha1", "AuthorizationPolicy", "authorizationpolicies"),
        Kind("policy.linkerd.io", "v1alpha1", "EgressNetwork", "egressnetworks"),
        Kind("gateway.networking.k8s.io", "v1alpha2", "TLSRoute", "tlsroutes"),
    )
}
_PERMISSIONS = (
    *(Permission(verb, SERVICE_ACCOUNT, NAMESPACE, ACCOUNT) for verb in ("get", "patch")),
    *(
        Permission(verb, kind, NAMESPACE)
        for kind in _KINDS.values()
        if kind != SERVICE_ACCOUNT
        for verb in ("get", "create", "patch")
    ),
)


class BackupNamespaces:
    """The backup namespaces of members of trust domains."""

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._kubernetes = kubernetes

    async def missing_permissions(self, cluster_id: str, trust_domain: str) -> list[str]:
        """What binding backup workloads takes and isn't permitted in the cluster."""
        async with self._kubernetes.member_api(cluster_id, trust_domain) as api:
            return list(await api.missing(*_PERMISSIONS))

    async def ensure(self, cluster_id: str, trust_domain: str, desired: Sequence[Object]) -> list[Object]:
        """The objects as they are, once those that are absent or differ have been applied.

        Raises NotConverged where the namespace isn't there yet, PermanentError for a kind that isn't served.
        """
        async with self._kubernetes.member_api(cluster_id, trust_domain) as api:
            if await api.get(SERVICE_ACCOUNT, ACCOUNT, NAMESPACE) is None:
                raise NotConverged(
                    "NoBackupNamespace",
                    f"there is no service account {NAMESPACE}/{ACCOUNT}: apply infra/cluster (docs/clusters.md)",
                )
            return [await _ensure(api, one) for one in desired]


async def _ensure(api: ClusterApi, desired: Object) -> Object:
    kind, name = _KINDS[desired["kind"]], desired["metadata"]["name"]
    found = await api.get(kind, name, NAMESPACE)
    if found is not None and covers(found, desired):
        return found
    try:
        return await api.apply(kind, desired)
    except Absent as error:
        raise PermanentError(
            "KindNotServed",
            f"the cluster serves no {kind.kind} of {kind.group}/{kind.version}: docs/clusters.md says what it needs",
        ) from error
