"""The rotation of a mesh's trust root: which root, when, and in which phases.

Words: a trust domain is the clusters (members) that share a root. A root is a certificate in Key Vault, numbered by its
generation. The bundle is the roots that proxies trust, an issuer signs the leaves of one member's proxies.

Rules:
- Between two phases both states are met at once, here and there in the fleet. So the leaves that live in either of two
  neighbouring phases must chain to roots that are trusted in both. `STAGES` is the order in which that holds.
- A phase begins only when every member has proven the one before. The ways back stay open until retire.
- The current root is the lowest enabled generation; an enabled one above it is where a rotation under way leads to. A
  disabled generation is history, and its number is never used again.
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

import msgspec

from shared.domain.errors import InvalidEvent, PermanentError

MESH_TAG = "meshward:mesh"
DOMAIN_TAG = "meshward:trust-domain"
GENERATION_TAG = "meshward:generation"
RENEW_BEFORE = timedelta(days=30)  # as Key Vault's own CertificateNearExpiry
_LONGEST_DOMAIN = 64 - len("identity.linkerd.")  # X.509: a common name has 64 characters at most


class Phase(StrEnum):
    """The phases of a rotation, in their order."""

    PREPARE = "prepare"
    DISTRIBUTE = "distribute"
    ACTIVATE = "activate"
    SETTLE = "settle"
    RETIRE = "retire"


class Slot(StrEnum):
    """The root that is rotated away from, and the one that takes its place."""

    OLD = "old"
    NEW = "new"


class Stage(NamedTuple):
    """What is true of every member when a phase ends: roots that all proxies trust, and roots that leaves chain to."""

    trusted: frozenset[Slot]
    leaves: frozenset[Slot]


_OLD, _BOTH, _NEW = frozenset({Slot.OLD}), frozenset(Slot), frozenset({Slot.NEW})

STAGES = {
    Phase.PREPARE: Stage(trusted=_OLD, leaves=_OLD),
    Phase.DISTRIBUTE: Stage(trusted=_BOTH, leaves=_OLD),
    Phase.ACTIVATE: Stage(trusted=_BOTH, leaves=_BOTH),
    Phase.SETTLE: Stage(trusted=_BOTH, leaves=_NEW),
    Phase.RETIRE: Stage(trusted=_NEW, leaves=_NEW),
}


class VaultCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """The current version of a Key Vault certificate."""

    name: str
    enabled: bool
    expires: datetime
    tags: dict[str, str]


class Root(msgspec.Struct, frozen=True, kw_only=True):
    """A trust root in Key Vault."""

    trust_domain: str
    generation: int
    certificate: str
    enabled: bool
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


class Roots(msgspec.Struct, frozen=True, kw_only=True):
    """SHA-256 fingerprints (hexadecimal, lower case) of the two roots, and their versions in Key Vault."""

    old: str
    new: str
    old_version: str
    new_version: str

    def of(self, slots: Iterable[Slot]) -> frozenset[str]:
        """The fingerprints of these slots."""
        return frozenset(self.old if slot is Slot.OLD else self.new for slot in slots)


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster that a step of the rotation is about; `since` is when the step before was proven."""

    rotation: Rotation
    cluster: str
    phase: Phase
    roots: Roots
    since: datetime | None = None


class Members(msgspec.Struct, frozen=True, kw_only=True):
    """The resource ids of the trust domain's clusters, and when they were listed."""

    clusters: list[str]
    at: datetime


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster that is to take part in the rotation."""

    rotation: Rotation
    cluster: str


class Retirement(msgspec.Struct, frozen=True, kw_only=True):
    """The old root is to be retired."""

    rotation: Rotation
    roots: Roots


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """A step is done, and when; `count` proxies (or identity replicas) were seen to prove it."""

    at: datetime
    count: int = 0


class Rotated(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a rotation; fingerprints are SHA-256, `proxies` were counted by the last gate over all members."""

    trust_domain: str
    old_root: str
    new_root: str
    members: list[str]
    proxies: int
    started: datetime
    activated: datetime
    finished: datetime


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
        expires=found.expires,
    )


def current_roots(certificates: Iterable[VaultCertificate]) -> list[Root]:
    """The current root of every trust domain in the vault; certificates that aren't roots of ours are passed over."""
    current: dict[str, Root] = {}
    for root in _roots(certificates):
        if root.enabled and root.generation <= current.get(root.trust_domain, root).generation:
            current[root.trust_domain] = root
    return list(current.values())


def renewal_due(root: Root, now: datetime) -> bool:
    """Whether it is time to rotate the root."""
    return root.expires - now <= RENEW_BEFORE


def rotation_of(certificate: str, certificates: Iterable[VaultCertificate]) -> Rotation:
    """The rotation that replaces this certificate.

    Raises InvalidEvent if it isn't a root of ours, AlreadyRotated if it isn't the current one.
    """
    found = [c for c in certificates if c.name.lower() == certificate.lower()]
    if not found:
        raise InvalidEvent("NotATrustRoot", f"there is no certificate {certificate} in the vault")
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
