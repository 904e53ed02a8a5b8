"""The trust roots of a key vault: which certificate is whose root, which one is current, and what replaces it.

Rules:
- Tags say which certificate is whose root. Each generation is a certificate with a name of its own, so that the old
  root is kept.
- The current root is the lowest enabled generation; an enabled one above it is the goal of a rotation that runs. A
  disabled generation is history, and its number is never used again.
- Names keep only letters, digits and hyphens of a trust domain. If two trust domains get the same name by that, the
  older one has it.
"""

import re
from collections.abc import Iterable
from datetime import datetime

import msgspec

from shared.domain.cluster import MESH_TAG, TRUST_DOMAIN_TAG
from shared.domain.errors import InvalidEvent, PermanentError, shown
from shared.domain.resource_id import same
from shared.domain.trust.mesh import Mesh
from shared.domain.trust.phases import Slot

GENERATION_TAG = "meshward:generation"
_LONGEST_NAME = 64  # X.509: a common name has 64 characters at most
_MESHES = frozenset(Mesh)


class VaultCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """The current version of a Key Vault certificate."""

    name: str  # in Key Vault
    enabled: bool  # whether it can be used
    starts_at: datetime  # UTC
    expires_at: datetime  # UTC
    tags: dict[str, str]  # as Key Vault has them


class Root(msgspec.Struct, frozen=True, kw_only=True):
    """A trust root in Key Vault."""

    mesh: Mesh  # whose root it is
    trust_domain: str  # whose root it is
    generation: int  # counts the trust domain's roots
    certificate: str  # its name in Key Vault
    enabled: bool  # whether its key can sign
    starts_at: datetime  # UTC
    expires_at: datetime  # UTC


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """From which root to which."""

    mesh: Mesh  # whose root is rotated
    trust_domain: str  # whose root is rotated
    old: str  # the name of the root's certificate in Key Vault
    new: str  # the name of its successor's certificate
    generation: int  # of the new root

    @property
    def instance_id(self) -> str:
        return f"rotate-{slug(self.trust_domain)}-g{self.generation}"

    def is_run(self, instance_id: str) -> bool:
        """Whether this is the instance of the rotation's first run or of a later one, whose id has a number."""
        return re.fullmatch(rf"{re.escape(self.instance_id)}(-\d+)?", instance_id) is not None

    def certificate(self, slot: Slot) -> str:
        """The certificate in Key Vault of this slot's root."""
        return self.old if slot is Slot.OLD else self.new


class AlreadyRotated(PermanentError):
    """The certificate isn't its trust domain's current root any more, so there is nothing to do."""


def trust_root(found: VaultCertificate) -> Root:
    """The certificate as a trust root; raises InvalidEvent if its tags don't say that it is one of ours."""
    mesh, domain = found.tags.get(MESH_TAG), found.tags.get(TRUST_DOMAIN_TAG)
    if mesh not in _MESHES or not domain:
        tags = f"{MESH_TAG}={'|'.join(sorted(_MESHES))} and {TRUST_DOMAIN_TAG}"
        raise InvalidEvent("NotATrustRoot", f"certificate {found.name} has no tags {tags}")
    generation = found.tags.get(GENERATION_TAG, "")
    if not re.fullmatch(r"[1-9][0-9]{0,3}", generation):
        raise InvalidEvent("NotATrustRoot", f"tag {GENERATION_TAG} of certificate {found.name} isn't a number")
    longest = _LONGEST_NAME - len(issuer_name(Mesh(mesh), ""))
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", domain) or len(domain) > longest:
        message = f"tag {TRUST_DOMAIN_TAG} of certificate {found.name} isn't a DNS name of {longest} characters"
        raise InvalidEvent("NotATrustRoot", message)
    return Root(
        mesh=Mesh(mesh),
        trust_domain=domain,
        generation=int(generation),
        certificate=found.name,
        enabled=found.enabled,
        starts_at=found.starts_at,
        expires_at=found.expires_at,
    )


def root_name(mesh: Mesh, trust_domain: str) -> str:
    """The common name of a trust domain's roots."""
    return f"root.{mesh}.{trust_domain}"


def issuer_name(mesh: Mesh, trust_domain: str) -> str:
    """The common name of a trust domain's issuers."""
    return f"identity.{mesh}.{trust_domain}"


def enabled_roots(mesh: Mesh, certificates: Iterable[VaultCertificate]) -> dict[str, list[str]]:
    """The certificates of the mesh's current roots, by trust domain."""
    found: dict[str, list[str]] = {}
    for root in (r for r in _roots(certificates) if r.enabled and r.mesh is mesh):
        found.setdefault(root.trust_domain, []).append(root.certificate)
    return found


def current_roots(certificates: Iterable[VaultCertificate]) -> list[Root]:
    """The current root of every trust domain in the vault; certificates that aren't trust roots are skipped."""
    current: dict[tuple[Mesh, str], Root] = {}
    for root in _roots(certificates):
        key = root.mesh, root.trust_domain
        if root.enabled and root.generation <= current.get(key, root).generation:
            current[key] = root
    return list(current.values())


def last_rotation_aborted(mesh: Mesh, trust_domain: str, certificates: Iterable[VaultCertificate]) -> bool:
    """Whether the newest generation was disabled, as an aborted rotation leaves it."""
    return not _generations(mesh, trust_domain, certificates)[-1].enabled


def rotation_of(certificate: str, certificates: Iterable[VaultCertificate]) -> Rotation:
    """The rotation that replaces this certificate.

    Raises InvalidEvent if it isn't a root of ours, AlreadyRotated if it isn't the current one, PermanentError if roots
    can't be told apart.
    """
    found = [c for c in certificates if same(c.name, certificate)]
    if not found:
        raise InvalidEvent("NotATrustRoot", f"there is no certificate {shown(certificate)} in the vault")
    root = trust_root(found[0])
    generations = _generations(root.mesh, root.trust_domain, certificates)
    enabled = [r for r in generations if r.enabled]
    _require_distinct(root, enabled, certificates)
    if not enabled or enabled[0].certificate != root.certificate:
        raise AlreadyRotated("AlreadyRotated", f"{root.certificate} isn't the current root of {root.trust_domain}")
    generation = enabled[1].generation if len(enabled) > 1 else generations[-1].generation + 1
    name = f"{root.mesh}-root-{slug(root.trust_domain)}-g{generation:04}"
    new = enabled[1].certificate if len(enabled) > 1 else name
    return Rotation(
        mesh=root.mesh, trust_domain=root.trust_domain, old=root.certificate, new=new, generation=generation
    )


def root_tags(rotation: Rotation) -> dict[str, str]:
    """The tags by which the new root will be known."""
    return {
        MESH_TAG: rotation.mesh.value,
        TRUST_DOMAIN_TAG: rotation.trust_domain,
        GENERATION_TAG: str(rotation.generation),
    }


def slug(trust_domain: str) -> str:
    """The trust domain as part of a name: small letters, digits and single hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", trust_domain.lower()).strip("-")


def _require_distinct(root: Root, enabled: list[Root], certificates: Iterable[VaultCertificate]) -> None:
    """Raise PermanentError if two current roots have one number, or an older trust domain has this one's names."""
    if len({r.generation for r in enabled}) < len(enabled):
        names = ", ".join(f"{r.certificate} ({r.generation})" for r in enabled)
        raise PermanentError(
            "SameGeneration", f"of {names}, two have the same tag {GENERATION_TAG}: disable the wrong one"
        )
    alike = [r for r in _roots(certificates) if slug(r.trust_domain) == slug(root.trust_domain)]
    first = min(alike, key=lambda r: (r.starts_at, r.trust_domain)).trust_domain
    if first != root.trust_domain:
        message = f"the roots of {root.trust_domain} and {first} would share names: keep one's in another key vault"
        raise PermanentError("TrustDomainsAlike", message)


def _roots(certificates: Iterable[VaultCertificate]) -> list[Root]:
    roots = []
    for found in certificates:
        try:
            roots.append(trust_root(found))
        except InvalidEvent:
            continue
    return roots


def _generations(mesh: Mesh, trust_domain: str, certificates: Iterable[VaultCertificate]) -> list[Root]:
    """Every generation of the trust domain's root, the oldest first."""
    found = [r for r in _roots(certificates) if (r.mesh, r.trust_domain) == (mesh, trust_domain)]
    return sorted(found, key=lambda root: root.generation)
