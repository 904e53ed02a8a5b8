"""Which clusters take part in a rotation, and whether each is fit for it. Checked before anything is changed."""

from collections.abc import Iterable

from shared.domain.cluster import MESH_TAG, TRUST_DOMAIN_TAG, Cluster
from shared.domain.errors import PermanentError
from shared.domain.trust import Rotation
from shared.domain.trust_certificates import fingerprints
from shared.domain.trust_facts import Bundle, IssuerSecret, MeshConfig


def members_of(trust_domain: str, clusters: Iterable[Cluster]) -> list[Cluster]:
    """The trust domain's clusters by name; raises PermanentError if there is none, or one that can't be reached."""
    members = [c for c in clusters if c.tagged(TRUST_DOMAIN_TAG, trust_domain) and c.tagged(MESH_TAG, "linkerd")]
    if not members:
        message = f"no cluster is tagged {TRUST_DOMAIN_TAG}={trust_domain} and {MESH_TAG}=linkerd"
        raise PermanentError("NoMembers", message)
    for stopped in (c for c in members if c.power_state == "Stopped"):
        message = f"cluster {stopped.name} is stopped: start it, or take its tag {TRUST_DOMAIN_TAG} away"
        raise PermanentError("MemberStopped", message)
    return sorted(members, key=lambda c: (c.name, c.id))


def check_config(cluster: str, config: MeshConfig | None, rotation: Rotation) -> None:
    """Raise PermanentError unless Linkerd is there, of this trust domain, and leaves bundle and issuer to us."""
    if config is None:
        raise PermanentError("NoMesh", f"cluster {cluster} has no Linkerd (ConfigMap linkerd/linkerd-config)")
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


def check_bundle(cluster: str, bundle: Bundle, old_root: str) -> None:
    """Raise PermanentError unless the bundle trusts the old root (fingerprint) and is ours to write."""
    if old_root not in fingerprints(bundle.text):
        message = f"the bundle of cluster {cluster} can't be read, or doesn't hold the root that is rotated away from"
        raise PermanentError("ForeignBundle", message)
    check_owner(cluster, bundle)


def check_owner(cluster: str, found: Bundle | IssuerSecret) -> None:
    """Raise PermanentError if another tool writes the object: it would undo what we write."""
    if found.owner:
        what = "bundle" if isinstance(found, Bundle) else "issuer"
        message = f"the {what} of cluster {cluster} is written by {found.owner}: make it leave the object alone first"
        raise PermanentError("OwnedByOther", message)
