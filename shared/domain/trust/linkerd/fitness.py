"""Whether a cluster is fit to take part in a rotation. Checked before anything is changed."""

from collections.abc import Iterable, Sequence

from shared.domain.admission import Fleet
from shared.domain.cluster import MESH_TAG, TRUST_DOMAIN_TAG
from shared.domain.errors import PermanentError
from shared.domain.resource_id import same
from shared.domain.trust.certificates import fingerprints
from shared.domain.trust.linkerd.facts import Bundle, MeshConfig
from shared.domain.trust.linkerd.owners import require_no_other_owner, require_unchanged
from shared.domain.trust.linkerd.versions import require_supported_version
from shared.domain.trust.members import members_in
from shared.domain.trust.mesh import Mesh
from shared.domain.trust.phases import Mode
from shared.domain.trust.state import Member

LINK_TAG = "meshward:link-name"


def require_linked_members(cluster: str, targets: Iterable[str], trust_domain: str, fleet: Fleet) -> None:
    """Raise PermanentError unless every cluster that this one is linked to (by Linkerd's name of it) is a member."""
    members = members_in(Mesh.LINKERD, trust_domain, fleet)
    for target in targets:
        if not any(same(target, m.name) or m.tagged(LINK_TAG, target) for m in members):
            message = (
                f"cluster {cluster} is linked to {target}, which isn't a member of {trust_domain}: list it in the"
                f" policy document and tag it {TRUST_DOMAIN_TAG}={trust_domain} and {MESH_TAG}=linkerd (and"
                f" {LINK_TAG}={target} if its name in Azure is another), or remove the Link"
            )
            raise PermanentError("LinkedClusterNotMember", message)


def require_config(cluster: str, config: MeshConfig | None, trust_domain: str) -> None:
    """Raise PermanentError unless Linkerd is there, supported, of this trust domain, and in external CA mode."""
    if config is None:
        raise PermanentError("NoMesh", f"cluster {cluster} has no Linkerd (ConfigMap linkerd/linkerd-config)")
    require_supported_version(cluster, config.version)
    if config.trust_domain != trust_domain:
        message = f"the trust domain of the mesh in cluster {cluster} is {config.trust_domain}, not {trust_domain}"
        raise PermanentError("OtherTrustDomain", message)
    if not config.external_ca or config.issuer_scheme != "kubernetes.io/tls":
        message = (
            f"Linkerd in cluster {cluster} manages its own certificates: annotate ConfigMap"
            " linkerd-identity-trust-roots and Secret linkerd-identity-issuer with helm.sh/resource-policy=keep, then"
            " upgrade with identity.externalCA=true and identity.issuer.scheme=kubernetes.io/tls"
        )
        raise PermanentError("NotExternalCA", message)


def trusted_roots(member: Member, old: str) -> frozenset[str]:
    """The fingerprints of which the member's bundle must hold one: that of the old root (`old`) alone; once leaves are
    issued under the new one, or an expired one is replaced, that of the new root as well.
    """
    new_too = member.roots and (member.new_root_live or member.mode is Mode.REPLACE)
    return frozenset({old, *([member.roots.new] if member.roots and new_too else [])})


def require_bundle(cluster: str, bundle: Bundle, roots: frozenset[str]) -> None:
    """Raise PermanentError unless the bundle trusts one of these roots (fingerprints) and Meshward may write it.

    That is the old one; or the new one, too, once leaves are issued under it.
    """
    if not roots & fingerprints(bundle.pem):
        message = f"the bundle of cluster {cluster} can't be read, or doesn't hold the current root ({_short(roots)})"
        raise PermanentError("ForeignBundle", message)
    require_no_other_owner(cluster, bundle)
    require_unchanged(cluster, bundle)


def _short(roots: frozenset[str]) -> str:
    return " or ".join(sorted(root[:16] for root in roots))


def require_permissions(cluster: str, missing: Sequence[str]) -> None:
    """Raise PermanentError if the rotator may not do all that it will have to."""
    if missing:
        message = f"the rotator may not {', '.join(missing)} in cluster {cluster}: apply infra/cluster there again"
        raise PermanentError("MissingPermissions", message)
