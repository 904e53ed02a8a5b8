"""The trust roots of a key vault: which root of a trust domain is current, and what replaces it.

Rules:
- Only roots of record count (`records`). Each generation is a certificate with a name of its own, so that the old root
  is kept.
- The current root is the lowest enabled generation; an enabled one above it is the goal of a rotation that runs.
- A row that can't be read stops the rotations of its trust domain, as nobody knows which root is current. Other rows
  still count: issuers are renewed under their roots. Other trust domains go on.
- A certificate whose tags say that it is a root, and that has no record, is a claim: it is told, and never used.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from shared.domain.cluster import MESH_TAG, TRUST_DOMAIN_TAG, tag_in
from shared.domain.errors import InvalidEvent, PermanentError, Unreadable, shown
from shared.domain.resource_id import folded, same
from shared.domain.trust.mesh import Mesh
from shared.domain.trust.phases import Slot
from shared.domain.unique import unique_name

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
    """A trust root of record, as Key Vault has it."""

    mesh: Mesh  # whose root it is
    trust_domain: str  # whose root it is
    generation: int  # counts the trust domain's roots
    certificate: str  # its name in Key Vault
    version: str  # of that certificate
    fingerprint: str  # SHA-256, hexadecimal, lower case
    enabled: bool  # whether its key can sign
    starts_at: datetime  # UTC
    expires_at: datetime  # UTC
    covered: bool = False  # whether somebody has added a version since, which is the current one of the certificate


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """The roots of a trust domain."""

    mesh: Mesh  # whose roots they are
    trust_domain: str  # whose roots they are
    roots: tuple[Root, ...]  # those that count, the oldest first
    last: int  # the highest generation that was begun
    last_ended: bool  # whether that was retired or given up
    broken: tuple[str, ...] = ()  # paths of rows that can't be read

    @property
    def enabled(self) -> list[Root]:
        """Those whose keys can sign."""
        return [root for root in self.roots if root.enabled]

    @property
    def current(self) -> Root | None:
        """The root that is rotated next, or now."""
        return next(iter(self.enabled), None)

    @property
    def aborted(self) -> bool:
        """Whether the last rotation was aborted: it has ended a generation above the current root's."""
        return self.last_ended and self.current is not None and self.last > self.current.generation


class RootClaim(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate whose tags say that it is a trust root, and which is none of record."""

    certificate: str  # its name in Key Vault
    mesh: Mesh  # by its tags
    trust_domain: str  # by its tags
    generation: int  # by its tags


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """From which root to which."""

    mesh: Mesh  # whose root is rotated
    trust_domain: str  # whose root is rotated
    old: str  # the name of the root's certificate in Key Vault
    new: str  # the name of its successor's certificate
    generation: int  # of the new root

    @property
    def instance_id(self) -> str:
        return f"rotate-{unique_name(self.trust_domain, self.mesh, self.trust_domain)}-g{self.generation}"

    def is_run(self, instance_id: str) -> bool:
        """Whether this is the instance of the rotation's first run or of a later one, whose id has a number."""
        return re.fullmatch(rf"{re.escape(self.instance_id)}(-\d+)?", instance_id) is not None

    def certificate(self, slot: Slot) -> str:
        """The certificate in Key Vault of this slot's root."""
        return self.old if slot is Slot.OLD else self.new


class AlreadyRotated(PermanentError):
    """The certificate isn't its trust domain's current root any more, so there is nothing to do."""


def claim_of(found: VaultCertificate) -> RootClaim:
    """What the certificate's tags say; raises InvalidEvent if they don't say that it is a trust root."""
    mesh, domain = (folded(tag_in(found.tags, tag)) for tag in (MESH_TAG, TRUST_DOMAIN_TAG))
    if mesh not in _MESHES or not domain:
        tags = f"{MESH_TAG}={'|'.join(sorted(_MESHES))} and {TRUST_DOMAIN_TAG}"
        raise InvalidEvent("NotATrustRoot", f"certificate {found.name} has no tags {tags}")
    generation = tag_in(found.tags, GENERATION_TAG)
    if not re.fullmatch(r"[1-9][0-9]{0,5}", generation):
        raise InvalidEvent("NotATrustRoot", f"tag {GENERATION_TAG} of certificate {found.name} isn't a number")
    longest = _LONGEST_NAME - len(issuer_name(Mesh(mesh), ""))
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", domain) or len(domain) > longest:
        message = f"tag {TRUST_DOMAIN_TAG} of certificate {found.name} isn't a DNS name of {longest} characters"
        raise InvalidEvent("NotATrustRoot", message)
    return RootClaim(certificate=found.name, mesh=Mesh(mesh), trust_domain=domain, generation=int(generation))


def root_name(mesh: Mesh, trust_domain: str) -> str:
    """The common name of a trust domain's roots."""
    return f"root.{mesh}.{trust_domain}"


def issuer_name(mesh: Mesh, trust_domain: str) -> str:
    """The common name of a trust domain's issuers."""
    return f"identity.{mesh}.{trust_domain}"


def certificate_name(mesh: Mesh, trust_domain: str, generation: int) -> str:
    """The name of the certificate of a root that Meshward makes."""
    return f"{mesh}-root-{unique_name(trust_domain, mesh, trust_domain)}-g{generation:04}"


def claims_in(certificates: Iterable[VaultCertificate], of_record: Iterable[str]) -> list[RootClaim]:
    """The enabled certificates that are tagged as roots and are none of record, by name."""
    known = {name.lower() for name in of_record}
    claims = []
    for found in certificates:
        try:
            claim = claim_of(found)
        except InvalidEvent:
            continue
        if found.enabled and found.name.lower() not in known:
            claims.append(claim)
    return claims


def current_roots(lineages: Iterable[Lineage]) -> list[Root]:
    """The current root of every trust domain."""
    return [lineage.current for lineage in lineages if lineage.current]


def rotation_of(certificate: str, lineages: Sequence[Lineage]) -> Rotation:
    """The rotation that replaces this certificate.

    Raises InvalidEvent if it is no root of record, AlreadyRotated if it isn't the current one, PermanentError if roots
    can't be told apart, Unreadable if a row can't be read.
    """
    lineage = lineage_of(certificate, lineages)
    if lineage.broken:
        raise unreadable_rows(lineage.trust_domain, lineage.broken)
    enabled = lineage.enabled
    if len({r.generation for r in enabled}) < len(enabled):
        names = ", ".join(f"{r.certificate} ({r.generation})" for r in enabled)
        raise PermanentError("SameGeneration", f"of {names}, two are of the same generation: disable the wrong one")
    if not enabled or not same(enabled[0].certificate, certificate):
        raise AlreadyRotated("AlreadyRotated", f"{shown(certificate)} isn't the current root of {lineage.trust_domain}")
    generation = enabled[1].generation if len(enabled) > 1 else _next_generation(lineage)
    name = certificate_name(lineage.mesh, lineage.trust_domain, generation)
    return Rotation(
        mesh=lineage.mesh,
        trust_domain=lineage.trust_domain,
        old=enabled[0].certificate,
        new=enabled[1].certificate if len(enabled) > 1 else name,
        generation=generation,
    )


def unreadable_rows(trust_domain: str, paths: Iterable[str]) -> Unreadable:
    """The error that says which rows of a trust domain's roots have to be restored."""
    message = (
        f"{', '.join(paths)} in the store can't be read, so that nobody knows which root of {trust_domain} is current"
    )
    return Unreadable("DocumentBroken", f"{message}: restore an earlier version; until then nothing is rotated there")


def _next_generation(lineage: Lineage) -> int:
    """The number of the root that comes next; one that was begun and not given up is gone on with, enabled or not."""
    assert lineage.current
    begun = lineage.last > lineage.current.generation and not lineage.last_ended
    return lineage.last if begun else lineage.last + 1


def lineage_of(certificate: str, lineages: Iterable[Lineage]) -> Lineage:
    """The lineage that has this certificate; raises InvalidEvent if none has."""
    for lineage in lineages:
        if any(same(root.certificate, certificate) for root in lineage.roots):
            return lineage
    raise InvalidEvent("NotATrustRoot", f"{shown(certificate)} is no trust root of record")


def root_tags(rotation: Rotation) -> dict[str, str]:
    """The tags by which the new root will be known."""
    return {
        MESH_TAG: rotation.mesh.value,
        TRUST_DOMAIN_TAG: rotation.trust_domain,
        GENERATION_TAG: str(rotation.generation),
    }
