"""The trust roots of a key vault: which certificate is whose root, which one is current, and what replaces it.

Rules:
- A root is known by its tags. Each generation is a certificate of its own name, so that an old root stays whole.
- The current root is the lowest enabled generation; an enabled one above it is where a rotation under way leads to. A
  disabled generation is history, and its number is never used again.
"""

import re
from collections.abc import Iterable
from datetime import datetime

import msgspec

from shared.domain.errors import InvalidEvent, PermanentError, shown
from shared.domain.resource_id import same

MESH_TAG = "meshward:mesh"
DOMAIN_TAG = "meshward:trust-domain"
GENERATION_TAG = "meshward:generation"
_LONGEST_DOMAIN = 64 - len("identity.linkerd.")  # X.509: a common name has 64 characters at most


class VaultCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """The current version of a Key Vault certificate."""

    name: str
    enabled: bool
    starts: datetime
    expires: datetime
    tags: dict[str, str]


class Root(msgspec.Struct, frozen=True, kw_only=True):
    """A trust root in Key Vault."""

    trust_domain: str
    generation: int
    certificate: str
    enabled: bool
    starts: datetime
    expires: datetime


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """From which certificate to which; `generation` is the new root's."""

    trust_domain: str
    old: str
    new: str
    generation: int

    @property
    def instance_id(self) -> str:
        return f"rotate-{slug(self.trust_domain)}-g{self.generation}"


class AlreadyRotated(PermanentError):
    """The certificate isn't its trust domain's current root (any more), so there is nothing to do."""


def trust_root(found: VaultCertificate) -> Root:
    """The certificate as a trust root; raises InvalidEvent if its tags don't say that it is one of ours."""
    if found.tags.get(MESH_TAG) != "linkerd" or not found.tags.get(DOMAIN_TAG):
        raise InvalidEvent("NotATrustRoot", f"certificate {found.name} has no tags {MESH_TAG}=linkerd and {DOMAIN_TAG}")
    generation, domain = found.tags.get(GENERATION_TAG, ""), found.tags[DOMAIN_TAG]
    if not re.fullmatch(r"[1-9]\d{0,3}", generation):
        raise InvalidEvent("NotATrustRoot", f"tag {GENERATION_TAG} of certificate {found.name} isn't a number")
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", domain) or len(domain) > _LONGEST_DOMAIN:
        message = f"tag {DOMAIN_TAG} of certificate {found.name} isn't a DNS name of {_LONGEST_DOMAIN} characters"
        raise InvalidEvent("NotATrustRoot", message)
    return Root(
        trust_domain=domain,
        generation=int(generation),
        certificate=found.name,
        enabled=found.enabled,
        starts=found.starts,
        expires=found.expires,
    )


def enabled_roots(certificates: Iterable[VaultCertificate]) -> dict[str, list[str]]:
    """The certificates of the roots in force, by trust domain."""
    found: dict[str, list[str]] = {}
    for root in (r for r in _roots(certificates) if r.enabled):
        found.setdefault(root.trust_domain, []).append(root.certificate)
    return found


def current_roots(certificates: Iterable[VaultCertificate]) -> list[Root]:
    """The current root of every trust domain in the vault; certificates that aren't roots of ours are passed over."""
    current: dict[str, Root] = {}
    for root in _roots(certificates):
        if root.enabled and root.generation <= current.get(root.trust_domain, root).generation:
            current[root.trust_domain] = root
    return list(current.values())


def given_up(trust_domain: str, certificates: Iterable[VaultCertificate]) -> bool:
    """Whether the newest generation was disabled, as an aborted rotation leaves it."""
    newest = max((r for r in _roots(certificates) if r.trust_domain == trust_domain), key=_generation)
    return not newest.enabled


def rotation_of(certificate: str, certificates: Iterable[VaultCertificate]) -> Rotation:
    """The rotation that replaces this certificate.

    Raises InvalidEvent if it isn't a root of ours, AlreadyRotated if it isn't the current one.
    """
    found = [c for c in certificates if same(c.name, certificate)]
    if not found:
        raise InvalidEvent("NotATrustRoot", f"there is no certificate {shown(certificate)} in the vault")
    root = trust_root(found[0])
    family = sorted((r for r in _roots(certificates) if r.trust_domain == root.trust_domain), key=_generation)
    enabled = [r for r in family if r.enabled]
    if not enabled or enabled[0].certificate != root.certificate:
        raise AlreadyRotated("AlreadyRotated", f"{root.certificate} isn't the current root of {root.trust_domain}")
    generation = enabled[1].generation if len(enabled) > 1 else family[-1].generation + 1
    new = enabled[1].certificate if len(enabled) > 1 else f"linkerd-root-{slug(root.trust_domain)}-g{generation:04}"
    return Rotation(trust_domain=root.trust_domain, old=root.certificate, new=new, generation=generation)


def root_tags(rotation: Rotation) -> dict[str, str]:
    """The tags by which the new root will be known."""
    return {
        MESH_TAG: "linkerd",
        DOMAIN_TAG: rotation.trust_domain,
        GENERATION_TAG: str(rotation.generation),
    }


def slug(trust_domain: str) -> str:
    """The trust domain as part of a name: small letters, digits and single hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", trust_domain.lower()).strip("-")


def _roots(certificates: Iterable[VaultCertificate]) -> list[Root]:
    roots = []
    for found in certificates:
        try:
            roots.append(trust_root(found))
        except InvalidEvent:
            continue
    return roots


def _generation(root: Root) -> int:
    return root.generation
