"""Key Vault as a certificate authority, asked of the simulated vault by the real SDK clients."""

from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from msgspec.structs import replace

from local.cloud.key_vault.keys import PrivateKey
from local.cloud.key_vault.vault import Vault
from local.cloud.wire import InjectedFault, Reply
from local.cloud.world import World
from local.scenario import KEY_VAULT, OLD_ROOT, seed_trust
from shared.adapters.azure.key_vault import KeyVault
from shared.adapters.azure.keys import new_key
from shared.domain.errors import PermanentError, TemporaryError
from shared.domain.trust.certificates import fingerprint, pem, root_certificate
from shared.domain.trust.linkerd.certificates import issuer_certificate, issuer_expiry
from shared.domain.trust.mesh import Mesh
from shared.domain.trust.new_root import CertificateVersion, RootInTheMaking, RootStep
from shared.domain.trust.records import RootKey
from shared.domain.trust.roots import Rotation, root_tags
from tests.worlds import sdk
from tests.worlds.settings import settings

ROTATION = Rotation(mesh=Mesh.LINKERD, trust_domain="prod.contoso.example", old=OLD_ROOT, new="", generation=2)
NAME = "linkerd-root-prod-contoso-example-702c5961d5b82e49-g0002"
SECONDS, DAY = timedelta(seconds=30), timedelta(days=1)


@pytest.fixture
async def vault(world: World) -> Vault:
    seed_trust(world, 0)
    return world.key_vaults.vaults[KEY_VAULT]


@pytest.fixture
async def keys(world: World, vault: Vault) -> KeyVault:
    here = replace(settings(world), key_vault_url=f"{world.wire.url}/vaults/{KEY_VAULT}", verify_key_vault_domain=False)
    return KeyVault(here, **sdk.aio(world, world.entra.add("rotator")))


@pytest.mark.parametrize("der", [b"", b"x", b"\xa0\x03\x02\x01\x01"])
async def test_a_certificate_that_nobody_can_read_is_told_by_its_name_and_holds_up_no_other(
    world: World, vault: Vault, keys: KeyVault, der: bytes
) -> None:
    """Who may import certificates decides what is in them: one of version 2, for instance."""
    root = vault.certificate(OLD_ROOT).current
    assert root.certificate
    odd = root.certificate.public_bytes(Encoding.DER).replace(b"\xa0\x03\x02\x01\x02", der, 1) if len(der) > 1 else der
    reply = Reply(body={"id": f"{world.wire.url}/certificates/{OLD_ROOT}/{root.id}", "cer": b64encode(odd).decode()})
    world.wire.inject(InjectedFault(on=f"GET .*/certificates/{OLD_ROOT}/{root.id}", kind="answer", reply=reply))
    (found,) = [each for each in await keys.versions(OLD_ROOT) if each.id == root.id]
    assert (found.id, found.key) == (root.id, "")
    with pytest.raises(PermanentError, match=f"ForeignRoot: certificate {OLD_ROOT} in the key vault can't be read"):
        await keys.certificate(OLD_ROOT, root.id)


class Making:
    """One root after the other being made, and what the store would hold of it."""

    def __init__(self, keys: KeyVault, world: World) -> None:
        self.keys, self.world = keys, world
        self.key: RootKey | None = None
        self.recorded: list[str] = []

    async def seen(self) -> RootInTheMaking:
        return RootInTheMaking(
            rotation=ROTATION,
            vault=KEY_VAULT,
            recorded=self.recorded,
            key=self.key,
            versions=await self.keys.versions(NAME),
            request=await self.keys.latest_request(NAME),
        )

    async def act(self) -> RootStep:
        """One step on the way to a new root."""
        seen = await self.seen()
        match seen.next_step:
            case RootStep.CREATE_KEY:
                self.key = RootKey(certificate=NAME)
                key = await self.keys.request_version(NAME, issuer="Self", new_key=True, hardware=False)
                self.key = RootKey(certificate=NAME, key=key)
            case RootStep.REQUEST:
                await self.keys.request_version(NAME, issuer="Unknown", new_key=False, hardware=False)
            case RootStep.MERGE:
                await self._merge(seen.draft)
            case RootStep.DISABLE_DRAFT:
                for version in seen.others:
                    await self.keys.disable(NAME, version.id)
        await self.world.clock.advance(SECONDS)
        return seen.next_step

    async def _merge(self, draft: CertificateVersion) -> None:
        (current,) = [v for v in await self.keys.versions(OLD_ROOT) if v.enabled]
        old, key = await self.keys.certificate(OLD_ROOT, current.id), await self.keys.public_key(NAME, draft.id)
        unsigned = root_certificate(ROTATION, key, old, self.world.clock.now())
        root = await self.keys.sign(unsigned, NAME, draft.id)
        self.recorded.append(fingerprint(root))
        await self.keys.merge(NAME, root, root_tags(ROTATION))


async def made(keys: KeyVault, world: World) -> list[RootStep]:
    """All steps to a new root; what others did meanwhile or what went wrong is looked at again."""
    acts: list[RootStep] = []
    making = Making(keys, world)
    while not acts or acts[-1] is not RootStep.DONE:
        assert len(acts) < 40
        try:
            acts.append(await making.act())
        except TemporaryError:
            await world.clock.advance(SECONDS)
    return acts


async def test_the_vault_s_certificates_are_listed_with_their_tags(keys: KeyVault) -> None:
    (found,) = await keys.certificates()
    assert (found.name, found.tags["meshward:generation"], found.enabled) == (OLD_ROOT, "1", True)


@pytest.mark.parametrize(("kind", "hardware"), [("EC", False), ("EC-HSM", True), ("RSA-HSM", True)])
async def test_a_new_root_is_kept_like_the_old_one(keys: KeyVault, vault: Vault, kind: str, hardware: bool) -> None:
    vault.certificate(OLD_ROOT).policy["key_props"]["kty"] = kind
    assert await keys.hardware_protected(OLD_ROOT) is hardware


async def test_a_root_is_made_with_a_key_that_never_leaves_the_vault(
    keys: KeyVault, world: World, vault: Vault
) -> None:
    assert await made(keys, world) == [
        RootStep.CREATE_KEY,
        RootStep.REQUEST,
        RootStep.MERGE,
        RootStep.DISABLE_DRAFT,
        RootStep.DONE,
    ]
    versions = await keys.versions(NAME)
    newest = max(versions, key=lambda v: v.created)
    root = await keys.certificate(NAME, newest.id)
    assert newest.fingerprint == fingerprint(root)
    assert not await keys.exportable(NAME, newest.id)
    root.verify_directly_issued_by(root)
    assert vault.certificate(NAME).policy["key_props"]["exportable"] is False
    assert [v.enabled for v in sorted(versions, key=lambda v: v.created)] == [False, True]
    assert root.not_valid_after_utc - root.not_valid_before_utc == timedelta(days=365)


async def test_a_made_root_signs_issuers(keys: KeyVault, world: World) -> None:
    await made(keys, world)
    (version,) = [v.id for v in await keys.versions(NAME) if v.enabled]
    root, now, (key, private) = await keys.certificate(NAME, version), world.clock.now(), new_key()
    unsigned = issuer_certificate("prod.contoso.example", key, root, now, timedelta(hours=48))
    issuer = await keys.sign(unsigned, NAME, version)
    assert issuer_expiry(pem(issuer), root, now) == issuer.not_valid_after_utc
    assert private.startswith("-----BEGIN PRIVATE KEY-----")


async def test_asking_twice_for_the_same_version_is_a_conflict_to_look_at_again(keys: KeyVault) -> None:
    await keys.request_version(NAME, issuer="Self", new_key=True, hardware=False)
    with pytest.raises(TemporaryError, match="Conflict"):
        await keys.request_version(NAME, issuer="Self", new_key=True, hardware=False)


async def test_a_soft_deleted_name_is_refused_at_once_with_the_commands_that_mend_it(
    keys: KeyVault, world: World, vault: Vault
) -> None:
    await made(keys, world)
    vault.delete(NAME)
    with pytest.raises(PermanentError, match="NameSoftDeleted") as refused:
        await keys.request_version(NAME, issuer="Self", new_key=True, hardware=False)
    for act in ("purge", "recover"):
        assert f"az keyvault certificate {act} --vault-name {KEY_VAULT} --name {NAME}" in refused.value.message


@pytest.mark.parametrize(
    "key", [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())], ids=["RSA", "P-384"]
)
async def test_a_root_of_any_kind_of_key_that_meshes_take_signs_issuers_and_proves_its_key(
    keys: KeyVault, world: World, vault: Vault, key: PrivateKey
) -> None:
    now = world.clock.now()
    root = vault.seed_root("older", subject_cn="root", not_before=now, not_after=now + 90 * DAY, tags={}, key=key)
    (version,) = [v.id for v in await keys.versions("older") if v.enabled]
    public, _ = new_key()
    unsigned = issuer_certificate("prod.contoso.example", public, root, now, timedelta(hours=48))
    issuer = await keys.sign(unsigned, "older", version)
    issuer.verify_directly_issued_by(root)
    await keys.require_signing_key("older", version, root)


async def test_the_key_of_another_kind_is_told_before_it_is_used(keys: KeyVault, world: World, vault: Vault) -> None:
    key, now = ec.generate_private_key(ec.SECP256K1()), world.clock.now()
    name = x509.Name.from_rfc4514_string("CN=odd")
    odd = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    issued = odd.serial_number(1).not_valid_before(now).not_valid_after(now + DAY).sign(key, SHA256())
    vault.import_certificate("odd", issued, ec.generate_private_key(ec.SECP256R1()), tags={})
    (version,) = await keys.versions("odd")
    with pytest.raises(PermanentError, match="KeyUnusable: a trust root's key is RSA, or EC on curve P-256 or P-384"):
        await keys.public_key("odd", version.id)


async def test_what_is_not_there_is_nothing(keys: KeyVault) -> None:
    assert await keys.versions("missing") == []
    assert await keys.latest_request("missing") is None


_THROTTLED = Reply(status=429, headers={"Retry-After": "7"}, body={"error": {"code": "Throttled", "message": "slow"}})


@pytest.mark.parametrize(
    "fault",
    [
        InjectedFault(on="POST .*/create", kind="lose", times=2),
        InjectedFault(on="POST .*/create", kind="double", times=2),
        InjectedFault(on="POST .*/merge", kind="lose"),
        InjectedFault(on="POST .*/merge", kind="double"),
        InjectedFault(on="POST .*/sign", kind="answer", times=2),
        InjectedFault(on="PATCH ", kind="after"),
        InjectedFault(on="GET ", kind="answer", times=5, reply=_THROTTLED),
    ],
    ids=["creation lost", "creation doubled", "merge lost", "merge doubled", "not signed", "denied", "throttled"],
)
async def test_one_root_is_made_whatever_happens_on_the_way(
    keys: KeyVault, world: World, vault: Vault, fault: InjectedFault
) -> None:
    world.wire.inject(fault)
    await made(keys, world)
    assert fault.times == 0
    *drafts, root = vault.certificate(NAME).versions
    assert (bool(root.tags), root.enabled) == (True, True)
    assert not any(draft.enabled or draft.tags for draft in drafts)


async def test_the_services_wish_to_wait_is_passed_on(keys: KeyVault, world: World) -> None:
    world.wire.inject(InjectedFault(on="GET ", kind="answer", reply=_THROTTLED))
    with pytest.raises(TemporaryError) as caught:
        await keys.certificates()
    assert caught.value.retry_after == 7


async def test_no_private_key_crosses_the_wire(keys: KeyVault, world: World) -> None:
    await made(keys, world)
    sent: list[Any] = [exchange.request + str(exchange.body).encode() for exchange in world.wire.exchanges]
    assert sent
    assert not [text for text in sent if b"PRIVATE KEY" in text]
