"""Who a cluster's backup workloads are: for Entra, in the mesh, and for Meshward.

Rules:
- They run in a namespace of their own as one service account, an operator makes both (docs/clusters.md).
- Each incarnation of a cluster has a user-assigned identity of its own, since an identity takes 20 federated
  credentials at most (Entra limits). Its tokens come by federation, never from the node's metadata endpoint.
- An entry of the identity map says what an identity may ask of Meshward: both its names, its vault, items and actions.
  Entries are written once; a change is the next version beside them.
- All clusters of a trust domain call their backup workloads by one name in the mesh. So that name alone authorizes
  nothing: an entry is for a name in one cluster, and for one identity in Entra.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from shared.domain.documents import Document
from shared.domain.errors import PermanentError
from shared.domain.resource_id import same
from shared.domain.vaults.findings import FoundIdentity, require_settled
from shared.domain.vaults.protection import Protection

NAMESPACE, ACCOUNT = "meshward-backup", "backup"
ACTIONS = ("backup", "verify")
CLIENT_ID = "azure.workload.identity/client-id"

type Object = dict[str, Any]


class MeshBinding(NamedTuple):
    """What differs by mesh."""

    identity: Callable[[str], str]  # a workload's name, by its trust domain
    policies: Callable[[Sequence[str]], list[Object]]  # the objects that let it reach hosts
    pending: Callable[[Sequence[Object]], str]  # why the mesh doesn't act by the objects yet; empty if it does


class Federation(msgspec.Struct, frozen=True, kw_only=True):
    """A federated credential: whose tokens Entra takes for the identity's own."""

    issuer: str
    subject: str = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
    audiences: tuple[str, ...] = ("api://AzureADTokenExchange",)


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """A protection and the identity of its backup workloads, by object id and client id."""

    protection: Protection
    principal: str
    client: str


class IdentityMapEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the identity map; what it allows, it allows to whom `is_of` names."""

    principal: str  # object id in Entra
    mesh: str  # of the cluster
    mesh_identity: str  # the workloads' name in the mesh
    cluster_id: str  # resource id
    vault_id: str  # resource id of the Backup vault
    items: tuple[str, ...]  # backup instances, by resource id
    actions: tuple[str, ...]  # what the identity may do to these items

    def is_of(self, principal: str, cluster_id: str, mesh_identity: str) -> bool:
        """Whether the entry is for these workloads: one identity in Entra, and one name in the mesh of one cluster."""
        return (self.principal, self.mesh_identity) == (principal, mesh_identity) and same(self.cluster_id, cluster_id)


IDENTITY = Document(
    "identities/{principal}/{version}.json", "What an identity of backup workloads is for.", IdentityMapEntry
)


def identity_name(protection: Protection) -> str:
    """The user-assigned identity, named after the vault."""
    return f"id-{protection.backup_vault.removeprefix('bv-')}"


def binding_of(protection: Protection, found: FoundIdentity | None) -> Binding:
    """The binding to the identity, once it is there."""
    identity = require_settled(f"identity {identity_name(protection)}", found)
    return Binding(protection=protection, principal=identity.principal, client=identity.client)


def federation(protection: Protection) -> Federation:
    """The credential that ties the cluster's service account to the identity; raises PermanentError without issuer."""
    if not protection.oidc_issuer:
        raise PermanentError(
            "NoTokenIssuer",
            f"cluster {protection.cluster} has no OIDC issuer for Entra: "
            f"az aks update -g '{protection.cluster_group}' -n '{protection.cluster}' "
            "--enable-oidc-issuer --enable-workload-identity",
        )
    return Federation(issuer=protection.oidc_issuer)


def hosts(protection: Protection) -> list[str]:
    """What backup workloads may reach on port 443: Entra's tokens, Azure Backup, their store (Azure Backup docs)."""
    return [
        "login.microsoftonline.com",
        "management.azure.com",
        "*.backup.windowsazure.com",
        f"{protection.account}.blob.core.windows.net",
    ]


def account_of(client: str) -> Object:
    """What Meshward owns of the service account: the client id of its identity."""
    return {"kind": "ServiceAccount", "metadata": _named(ACCOUNT, annotations={CLIENT_ID: client})}


def policy(kind: str, name: str, **spec: Any) -> Object:
    """An object of the mesh in the backup namespace."""
    return {"kind": kind, "metadata": _named(name), "spec": spec}


def covers(found: Any, desired: Any) -> bool:
    """Whether all that is desired stands in what was found; API servers add defaults to it."""
    if isinstance(desired, Mapping):
        return isinstance(found, Mapping) and all(covers(found.get(key), desired[key]) for key in desired)
    if isinstance(desired, list):
        same = isinstance(found, list) and len(found) == len(desired)
        return same and all(covers(f, w) for f, w in zip(found, desired, strict=True))
    return bool(found == desired)


def entry_of(binding: Binding, mesh: MeshBinding) -> IdentityMapEntry:
    """The entry of the identity map; raises PermanentError for a workload that has no name in the mesh."""
    protection = binding.protection
    return IdentityMapEntry(
        principal=binding.principal,
        mesh=protection.mesh,
        mesh_identity=mesh.identity(trust_domain_of(protection)),
        cluster_id=protection.cluster_id,
        vault_id=protection.backup_vault_id,
        items=(protection.instance_id,),
        actions=ACTIONS,
    )


def trust_domain_of(protection: Protection) -> str:
    """The trust domain that the cluster claims; raises PermanentError if it claims none."""
    if not protection.trust_domain:
        raise PermanentError("NoTrustDomain", f"cluster {protection.cluster} has no tag meshward:trust-domain")
    return protection.trust_domain


def closed(entry: IdentityMapEntry) -> IdentityMapEntry:
    """The last entry of an identity, by which it may do nothing."""
    return msgspec.structs.replace(entry, items=(), actions=())


def _named(name: str, **more: Any) -> Object:
    return {"name": name, "namespace": NAMESPACE, **more}
