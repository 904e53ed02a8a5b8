"""The roots that count, as the store and Key Vault have them; and how an operator admits a trust domain's first.

What is in Key Vault alone counts for nothing: see shared.domain.trust.records.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cryptography import x509

from functions.engine.documents import unless_broken
from functions.engine.logs import log
from shared.domain.admission import Fleet
from shared.domain.documents import broken as broken_document
from shared.domain.errors import NotFound, PermanentError, shown
from shared.domain.resource_id import same
from shared.domain.trust.admission import (
    RefusedRoot,
    admitted,
    refused_root,
    require_first,
    require_named,
    require_new_number,
    require_root,
)
from shared.domain.trust.members import members_in
from shared.domain.trust.mesh import Mesh
from shared.domain.trust.records import (
    RECORD,
    Generation,
    RootRecord,
    domain_folder,
    ended_path,
    generations_in,
    record_path,
)
from shared.domain.trust.roots import AlreadyRotated, Lineage, Root, RootClaim, Rotation, claims_in, unreadable_rows
from shared.domain.trust.signals import NoRootSigns, RootAdmitted, RootRefused
from shared.wiring import services

_FOLDER = "roots/"


class RootsSeen(NamedTuple):
    """The roots of every trust domain, and certificates that only claim to be roots."""

    lineages: list[Lineage]
    claims: list[RootClaim]
    broken: list[str]  # paths of rows that can't be read

    def of(self, trust_domain: str) -> Lineage | None:
        """The lineage of this trust domain."""
        return next((each for each in self.lineages if each.trust_domain == trust_domain), None)

    def never_admitted(self, trust_domain: str) -> bool:
        """Whether nothing says that this trust domain ever had a root: a row that can't be read may say so."""
        return self.of(trust_domain) is None and not _of_domain(self.broken, trust_domain)


class _Rows(NamedTuple):
    """The rows of roots, and the paths of those that can't be read."""

    records: list[RootRecord]
    broken: list[str]


async def roots_seen() -> RootsSeen:
    """What the store's rows and Key Vault's list say now."""
    lineages, broken = await _lineages()
    of_record = [root.certificate for lineage in lineages for root in lineage.roots if not root.covered]
    certificates = await services().rotator.key_vault.certificates()
    return RootsSeen(lineages, claims_in(certificates, of_record), broken)


async def all_lineages() -> list[Lineage]:
    """The roots of record of every trust domain, as Key Vault has them."""
    return (await _lineages())[0]


async def _lineages() -> tuple[list[Lineage], list[str]]:
    """Every trust domain's roots, by the rows that can be read, and the paths of the others."""
    found: dict[str, list[Generation]] = {}
    for generation in generations_in(await services().ledger.list(_FOLDER)):
        found.setdefault(generation.domain, []).append(generation)
    seen = await asyncio.gather(*(_lineage(generations) for generations in found.values()))
    return [lineage for lineage, _ in seen if lineage], [path for _, broken in seen for path in broken]


async def _lineage(generations: Sequence[Generation]) -> tuple[Lineage | None, list[str]]:
    live, broken = await _records(*(g for g in generations if not g.ended))
    known = live or (await _records(*generations)).records
    if not known:
        return None, broken
    roots = [root for record in live if (root := await _root(record))]
    lineage = Lineage(
        mesh=known[0].mesh,
        trust_domain=known[0].trust_domain,
        roots=tuple(roots),
        last=generations[-1].number,
        last_ended=generations[-1].ended,
        broken=tuple(broken),
    )
    return lineage, broken


async def _records(*generations: Generation) -> _Rows:
    """The rows of these generations; the log names those that can't be read."""
    paths = [path for generation in generations for path in generation.records]
    found = {path: await unless_broken(_record(path)) for path in paths}
    return _Rows([row for row in found.values() if row], [path for path, row in found.items() if row is None])


async def _record(path: str) -> RootRecord:
    record = await services().ledger.get(RECORD, path)
    if record_path(record) != path:
        raise broken_document(path, ValueError("it is the row of another root"))
    return record


def _of_domain(paths: Iterable[str], trust_domain: str) -> list[str]:
    """Which of these rows are the trust domain's."""
    folders = tuple(f"{_FOLDER}{domain_folder(mesh, trust_domain)}/" for mesh in Mesh)
    return [path for path in paths if path.startswith(folders)]


def _require_readable(paths: Iterable[str], trust_domain: str) -> None:
    """Raise Unreadable that names the rows of the trust domain which can't be read."""
    if own := _of_domain(paths, trust_domain):
        raise unreadable_rows(trust_domain, own)


async def _root(record: RootRecord) -> Root | None:
    """The version in Key Vault that the row is of; None if there is none (yet)."""
    versions = await services().rotator.key_vault.versions(record.certificate)
    found = next((v for v in versions if v.fingerprint == record.fingerprint), None)
    if found is None or not (found.starts_at and found.expires_at):
        return None
    return Root(
        mesh=record.mesh,
        trust_domain=record.trust_domain,
        generation=record.generation,
        certificate=record.certificate,
        version=found.id,
        fingerprint=record.fingerprint,
        enabled=found.enabled,
        starts_at=found.starts_at,
        expires_at=found.expires_at,
        covered=any(v.enabled and v.created > found.created for v in versions),
    )


async def rotation_roots(rotation: Rotation) -> list[Root]:
    """The roots of record of a rotation, the one that it rotates away from first."""
    lineages, broken = await _lineages()
    _require_readable(broken, rotation.trust_domain)
    found = {
        root.certificate: root
        for lineage in lineages
        for root in lineage.roots
        if root.trust_domain == rotation.trust_domain
    }
    if rotation.old not in found:
        message = f"{rotation.old} isn't a root of record of {rotation.trust_domain} (any more): abort the rotation"
        raise PermanentError("RootNotAdmitted", message)
    return [found[name] for name in (rotation.old, rotation.new) if name in found]


async def old_root(rotation: Rotation) -> Root:
    """The root of record that is rotated away from."""
    return (await rotation_roots(rotation))[0]


async def refused_roots(seen: RootsSeen) -> list[RefusedRoot]:
    """What is said of each claim."""
    vault = services().settings.key_vault_name
    return [refused_root(claim, await _fingerprint(claim), seen.of(claim.trust_domain), vault) for claim in seen.claims]


async def tell_refused(seen: RootsSeen) -> None:
    """Log each claim: somebody has to look at it."""
    for one in await refused_roots(seen):
        log(
            RootRefused(
                certificate=one.certificate, trust_domain=one.trust_domain, reason=one.reason, error=one.message
            )
        )


def tell_unsigned(seen: RootsSeen, fleet: Fleet) -> None:
    """Log each trust domain that has members and no root that signs: their issuers can't be renewed."""
    for lineage in (each for each in seen.lineages if not each.enabled):
        if members := members_in(lineage.mesh, lineage.trust_domain, fleet):
            names = ", ".join(sorted(r.certificate for r in lineage.roots)) or "none is left"
            log(
                NoRootSigns(
                    trust_domain=lineage.trust_domain,
                    members=len(members),
                    why=f"enable the certificate of the root that they trust: {names}",
                )
            )


async def require_signs(certificate: str, version: str, root: x509.Certificate) -> None:
    """Raise PermanentError unless the root's key signs, for which its certificate in Key Vault has to be enabled."""
    vault = services().rotator.key_vault
    if not any(v.enabled for v in await vault.versions(certificate) if v.id == version):
        message = (
            f"certificate {certificate} is disabled or gone, and the other root is about to be given up: enable or"
            f" recover it (az keyvault certificate set-attributes --enabled true --vault-name"
            f" {services().settings.key_vault_name} --name {certificate} --version {version})"
        )
        raise PermanentError("KeyUnusable", message)
    await vault.require_signing_key(certificate, version, root)


async def _fingerprint(claim: RootClaim) -> str:
    versions = await services().rotator.key_vault.versions(claim.certificate)
    newest = max((v for v in versions if v.enabled), key=lambda v: v.created, default=None)
    return newest.fingerprint if newest else ""


async def require_of_record(certificate: str, seen: RootsSeen) -> None:
    """Raise PermanentError for a certificate that claims to be a root, AlreadyRotated for one that was one."""
    if any(same(root.certificate, certificate) for lineage in seen.lineages for root in lineage.roots):
        return
    for one in await refused_roots(seen):
        if same(one.certificate, certificate):
            raise PermanentError(one.reason, one.message)
    for generation in generations_in(await services().ledger.list(_FOLDER)):
        if generation.ended and any(same(r.certificate, certificate) for r in (await _records(generation)).records):
            raise AlreadyRotated("AlreadyRotated", f"{certificate} was a root; its generation has ended")


async def admit_root(trust_domain: str, fingerprint: str, by: str, why: str) -> RootRecord:
    """Write down that this is the trust domain's first root; the row that is there, if it was admitted before.

    Raises Conflict if it has a current root, NotFound if no certificate of that fingerprint is tagged as its root.
    """
    seen = await roots_seen()
    _require_readable(seen.broken, trust_domain)
    if known := await _record_of(trust_domain, fingerprint):
        return known
    require_first(seen.of(trust_domain), trust_domain)
    found = require_named(await refused_roots(seen), trust_domain, fingerprint)
    folder = _FOLDER + domain_folder(found.mesh, trust_domain) + "/"
    used = generations_in(await services().ledger.list(folder))
    require_new_number(found, max((g.number for g in used if g.ended or g.records), default=0))
    vault = services().rotator.key_vault
    versions = [v.id for v in await vault.versions(found.certificate) if v.fingerprint == fingerprint]
    if not versions:
        raise NotFound("NoSuchRoot", f"{found.certificate} has changed meanwhile: look at it, and ask again")
    require_root(await vault.certificate(found.certificate, versions[0]), found.certificate)
    record = admitted(found, by, why, services().now())
    await services().ledger.create(record_path(record), RECORD.encoded(record))
    log(
        RootAdmitted(
            certificate=record.certificate, trust_domain=trust_domain, fingerprint=fingerprint, by=by, why=shown(why)
        )
    )
    return await services().ledger.get(RECORD, record_path(record))


async def _record_of(trust_domain: str, fingerprint: str) -> RootRecord | None:
    folders = [f"{_FOLDER}{domain_folder(mesh, trust_domain)}/" for mesh in Mesh]
    live = [g for folder in folders for g in generations_in(await services().ledger.list(folder)) if not g.ended]
    records = (await _records(*live)).records
    return next((record for record in records if record.fingerprint == fingerprint), None)


async def end_generation(record: Root | RootRecord) -> None:
    """Write down that the root never counts again."""
    await services().ledger.create(ended_path(record.mesh, record.trust_domain, record.generation), b"")
