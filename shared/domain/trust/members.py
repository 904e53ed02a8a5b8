"""Which clusters take part in a rotation, and whether each is fit for it. Checked before anything is changed."""

from collections.abc import Iterable, Sequence

from shared.domain.cluster import MESH_TAG, TRUST_DOMAIN_TAG, Cluster
from shared.domain.errors import PermanentError
from shared.domain.resource_id import same
from shared.domain.trust.certificates import fingerprints
from shared.domain.trust.linkerd.facts import Bundle, MeshConfig
from shared.domain.trust.linkerd.owners import check_drift, check_owner
from shared.domain.trust.linkerd.versions import check_version
from shared.domain.trust.roots import Rotation

LINK_TAG = "meshward:link-name"

type Unseen = dict[str, tuple[str, str]]


def members_of(trust_domain: str, clusters: Iterable[Cluster]) -> tuple[list[str], Unseen]:
    """The resource ids of the trust domain's clusters, and of those that can't be asked, with reason and message.

    Raises PermanentError if there is none.
    """
    members = members_in(trust_domain, clusters)
    if not members:
        message = f"no cluster is tagged {TRUST_DOMAIN_TAG}={trust_domain} and {MESH_TAG}=linkerd"
        raise PermanentError("NoMembers", message)
    stopped = {c.id: ("MemberStopped", _stopped(c)) for c in members if c.power_state == "Stopped"}
    return sorted(c.id for c in members if c.id not in stopped), stopped


def members_in(trust_domain: str, clusters: Iterable[Cluster]) -> list[Cluster]:
    """The trust domain's clusters, seen or not."""
    return [c for c in clusters if c.tagged(TRUST_DOMAIN_TAG, trust_domain) and c.tagged(MESH_TAG, "linkerd")]


def _stopped(cluster: Cluster) -> str:
    return f"cluster {cluster.name} is stopped: start it, or take its tag {TRUST_DOMAIN_TAG} away"


def check_links(cluster: str, targets: Iterable[str], trust_domain: str, clusters: Iterable[Cluster]) -> None:
    """Raise PermanentError unless every cluster that this one is linked to (by Linkerd's name of it) is a member."""
    members = members_in(trust_domain, clusters)
    for target in targets:
        if not any(same(target, m.name) or m.tagged(LINK_TAG, target) for m in members):
            message = (
                f"cluster {cluster} is linked to {target}, which is no member of {trust_domain}: tag that cluster"
                f" {TRUST_DOMAIN_TAG}={trust_domain} and {MESH_TAG}=linkerd (and {LINK_TAG}={target} if its name"
                " in Azure is another), or remove the Link"
            )
            raise PermanentError("LinkedClusterNotMember", message)


def check_config(cluster: str, config: MeshConfig | None, rotation: Rotation) -> None:
    """Raise PermanentError unless Linkerd is there, known, of this trust domain, and leaves bundle and issuer to us."""
    if config is None:
        raise PermanentError("NoMesh", f"cluster {cluster} has no Linkerd (ConfigMap linkerd/linkerd-config)")
    check_version(cluster, config.version)
    if config.trust_domain != rotation.trust_domain:
        message = f"the mesh of cluster {cluster} is of trust domain {config.trust_domain}, not {rotation.trust_domain}"
        raise PermanentError("OtherTrustDomain", message)
    if not config.external_ca or config.scheme != "kubernetes.io/tls":
        message = (
            f"Linkerd in cluster {cluster} manages its own certificates: annotate ConfigMap"
            " linkerd-identity-trust-roots and Secret linkerd-identity-issuer with helm.sh/resource-policy=keep, then"
            " upgrade with identity.externalCA=true and identity.issuer.scheme=kubernetes.io/tls"
        )
        raise PermanentError("NotExternalCA", message)


def check_bundle(cluster: str, bundle: Bundle, roots: frozenset[str]) -> None:
    """Raise PermanentError unless the bundle trusts one of the roots, is ours to write and as we left it.

    The roots (fingerprints) are the old one, and the new one as soon as there is one.
    """
    if not roots & fingerprints(bundle.text):
        message = f"the bundle of cluster {cluster} can't be read, or holds neither the old root nor the new one"
        raise PermanentError("ForeignBundle", message)
    check_owner(cluster, bundle)
    check_drift(cluster, bundle)


def check_permissions(cluster: str, missing: Sequence[str]) -> None:
    """Raise PermanentError if the rotator may not do all that it will have to."""
    if missing:
        message = f"the rotator may not {', '.join(missing)} in cluster {cluster}: apply infra/cluster there anew"
        raise PermanentError("MissingPermissions", message)
