"""The activities of a trust rotation around the roots in Key Vault: the new one is made, the old one is ended.

Each observes, asks shared.domain.trust, and does at most one thing, as those of fleet_steps.
"""

import azure.durable_functions as df
import msgspec

from functions.engine.activities import activity
from functions.trust.roots import all_lineages, end_generation, old_root, require_signs
from shared.domain.errors import NotConverged, PermanentError
from shared.domain.trust.certificates import fingerprint, root_certificate
from shared.domain.trust.new_root import RootInTheMaking, RootStep
from shared.domain.trust.phases import Roots
from shared.domain.trust.records import (
    KEY,
    RECORD,
    RootKey,
    RootRecord,
    domain_folder,
    generations_in,
    key_path,
    record_path,
)
from shared.domain.trust.roots import Root, Rotation, root_tags
from shared.domain.trust.state import StepProof
from shared.wiring import services

app = df.Blueprint()


class RootVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a root in Key Vault."""

    certificate: str
    version: str


@activity(app)
async def ensure_root(rotation: Rotation) -> Roots:
    """The new root is in Key Vault, and of record."""
    making, old = await _in_the_making(rotation), await old_root(rotation)
    step = making.next_step
    if step is RootStep.DONE:
        assert making.root, "it is done once the root is there"
        new = making.root
        return Roots(old=old.fingerprint, new=new.fingerprint, old_version=old.version, new_version=new.id)
    await _take_step(step, making, old)
    raise NotConverged("RootUnderWay", f"creating {rotation.new}: {step}")


async def _in_the_making(rotation: Rotation) -> RootInTheMaking:
    world, name = services(), rotation.new
    folder = f"roots/{domain_folder(rotation.mesh, rotation.trust_domain)}/{rotation.generation:04}/"
    records = [path for generation in generations_in(await world.ledger.list(folder)) for path in generation.records]
    noted = await world.ledger.read(_key_path(rotation))
    return RootInTheMaking(
        rotation=rotation,
        vault=world.settings.key_vault_name,
        recorded=[(await world.ledger.get(RECORD, path)).fingerprint for path in records],
        key=KEY.decoded(_key_path(rotation), noted) if noted else None,
        versions=await world.rotator.key_vault.versions(name),
        request=await world.rotator.key_vault.latest_request(name),
    )


async def _take_step(step: RootStep, making: RootInTheMaking, old: Root) -> None:
    vault, name = services().rotator.key_vault, making.name
    match step:
        case RootStep.CREATE_KEY:
            await _create_key(making.rotation, hardware=await vault.hardware_protected(old.certificate))
        case RootStep.REQUEST:
            hardware = await vault.hardware_protected(old.certificate)
            await vault.request_version(name, issuer="Unknown", new_key=False, hardware=hardware)
        case RootStep.MERGE:
            await _merge(making, old)
        case RootStep.DISABLE_DRAFT:
            for version in making.others:
                await vault.disable(name, version.id)


async def _create_key(rotation: Rotation, *, hardware: bool) -> None:
    """Ask for a key, and write down which one Key Vault has made; if its answer is lost, another one is asked for."""
    await _note_key(rotation, "")
    key = await services().rotator.key_vault.request_version(
        rotation.new, issuer="Self", new_key=True, hardware=hardware
    )
    await _note_key(rotation, key)


async def _note_key(rotation: Rotation, key: str) -> None:
    ledger, path = services().ledger, _key_path(rotation)
    seen, noted = await ledger.read(path), KEY.encoded(RootKey(certificate=rotation.new, key=key))
    if seen != noted and not await ledger.update(path, noted, seen=seen):
        raise NotConverged("RootUnderWay", f"another worker creates {rotation.new}")


def _key_path(rotation: Rotation) -> str:
    return key_path(rotation.mesh, rotation.trust_domain, rotation.generation)


async def _merge(making: RootInTheMaking, old: Root) -> None:
    """Sign the root, write its row, and only then let Key Vault have it."""
    world, rotation, draft = services(), making.rotation, making.draft
    vault = world.rotator.key_vault
    if await vault.exportable(rotation.new, draft.id):
        raise PermanentError("ForeignRoot", f"the key of {rotation.new} can leave the vault: delete and purge it")
    lifetime = (await world.policy()).at(rotation.trust_domain).trust.root_lifetime
    key = await vault.public_key(rotation.new, draft.id)
    before = await vault.certificate(old.certificate, old.version)
    root = await vault.sign(root_certificate(rotation, key, before, world.now(), lifetime), rotation.new, draft.id)
    root.verify_directly_issued_by(root)
    record = RootRecord(
        mesh=rotation.mesh,
        trust_domain=rotation.trust_domain,
        generation=rotation.generation,
        certificate=rotation.new,
        fingerprint=fingerprint(root),
        origin="made",
        at=world.now(),
    )
    await world.ledger.create(record_path(record), RECORD.encoded(record))
    await vault.merge(rotation.new, root, root_tags(rotation))


@activity(app)
async def verify_signs(root: RootVersion) -> StepProof:
    """The root's key signs, and its certificate verifies that; raises PermanentError if not."""
    vault = services().rotator.key_vault
    await require_signs(root.certificate, root.version, await vault.certificate(root.certificate, root.version))
    return StepProof(at=services().now())


@activity(app)
async def ensure_disabled(root: RootVersion) -> StepProof:
    """The root's key signs nothing any more, and it never counts again; the certificate stays."""
    vault = services().rotator.key_vault
    if any(v.enabled and v.id == root.version for v in await vault.versions(root.certificate)):
        await vault.disable(root.certificate, root.version)
    for lineage in await all_lineages():
        for one in lineage.roots:
            if (one.certificate, one.version) == (root.certificate, root.version):
                await end_generation(one)
    return StepProof(at=services().now())
