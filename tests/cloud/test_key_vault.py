"""Key Vault as its own clients see it: requests, signing, merge, soft delete, events."""

import hashlib
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.core.rest import HttpRequest
from azure.keyvault.certificates import CertificateOperation, CertificatePolicy, KeyVaultCertificate
from azure.keyvault.certificates.aio import CertificateClient
from azure.keyvault.keys.aio import KeyClient
from azure.keyvault.keys.crypto import SignatureAlgorithm
from azure.keyvault.keys.crypto.aio import CryptographyClient
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from local.cloud.entra import Principal
from local.cloud.event_grid.delivery import Subscription
from local.cloud.key_vault.rules import KeyVaultError, complete_policy
from local.cloud.key_vault.vault import Vault
from local.cloud.key_vault.x509 import issue
from local.cloud.world import World
from tests.worlds.sdk import aio

SELF = CertificatePolicy(
    "Self", subject="CN=root.linkerd.cluster.local", key_type="EC", key_curve_name="P-256", exportable=False
)
UNKNOWN = CertificatePolicy(
    "Unknown",
    subject="CN=root.linkerd.cluster.local",
    key_type="EC",
    key_curve_name="P-256",
    exportable=False,
    reuse_key=True,
)
ROOT = "linkerd-trust-root-g0001"


@pytest.fixture
def vault(world: World) -> Vault:
    return world.key_vaults.add("kv-mesh")


@pytest.fixture
def caller(world: World) -> Principal:
    return world.entra.add("rotator")


@pytest.fixture
async def certificates(world: World, vault: Vault, caller: Principal) -> AsyncIterator[CertificateClient]:
    url = f"{world.wire.url}/vaults/{vault.name}"
    async with CertificateClient(url, verify_challenge_resource=False, **aio(world, caller)) as client:
        yield client


@pytest.fixture
async def keys(world: World, vault: Vault, caller: Principal) -> AsyncIterator[KeyClient]:
    url = f"{world.wire.url}/vaults/{vault.name}"
    async with KeyClient(url, verify_challenge_resource=False, **aio(world, caller)) as client:
        yield client


@asynccontextmanager
async def signer(world: World, caller: Principal, key_id: str | None) -> AsyncIterator[CryptographyClient]:
    assert key_id
    async with CryptographyClient(key_id, verify_challenge_resource=False, **aio(world, caller)) as client:
        yield client


async def self_issued(certificates: CertificateClient, name: str = ROOT) -> KeyVaultCertificate:
    poller = certificates.create_certificate(name, SELF)
    return cast(KeyVaultCertificate, await poller)


async def requested(certificates: CertificateClient, name: str = ROOT) -> CertificateOperation:
    return cast(CertificateOperation, await certificates.create_certificate(name, UNKNOWN))


@ec.EllipticCurvePrivateKey.register
class Unsigned:
    """Stands in for a private key that is elsewhere: what it signs gets a placeholder, to be replaced."""

    def __init__(self, public_key: ec.EllipticCurvePublicKey) -> None:
        self._public_key = public_key

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public_key

    def sign(self, *_: object) -> bytes:
        return encode_dss_signature(1, 1)


def authority(csr: bytes, now: datetime) -> x509.Certificate:
    """A root for the request's key, without a valid signature."""
    request = x509.load_der_x509_csr(csr)
    public_key = cast(ec.EllipticCurvePublicKey, request.public_key())
    subject, validity = request.subject.rfc4514_string(), (now, now + timedelta(days=3650))
    unsigned = cast(ec.EllipticCurvePrivateKey, Unsigned(public_key))
    return issue(subject, public_key, issuer=subject, signer=unsigned, validity=validity, path_length=1)


async def signed(client: CryptographyClient, unsigned: x509.Certificate) -> bytes:
    """The certificate in DER with the vault's signature."""
    content = unsigned.tbs_certificate_bytes
    raw = (await client.sign(SignatureAlgorithm.es256, hashlib.sha256(content).digest())).signature
    assert len(raw) == 64
    signature = b"\0" + encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    ecdsa_with_sha256 = bytes.fromhex("300a06082a8648ce3d040302")
    content += ecdsa_with_sha256 + b"\x03" + bytes([len(signature)]) + signature
    return b"\x30\x82" + len(content).to_bytes(2) + content


async def make_root(world: World, caller: Principal, certificates: CertificateClient) -> KeyVaultCertificate:
    """A root whose key never leaves the vault: self-issued, requested again with the same key, signed, merged."""
    first = await self_issued(certificates)
    request = await requested(certificates)
    assert request.csr is not None
    async with signer(world, caller, first.key_id) as client:
        der = await signed(client, authority(bytes(request.csr), world.clock.now()))
    return await certificates.merge_certificate(ROOT, [der], tags={"meshward": "root"})


async def test_a_root_is_made_with_a_key_that_never_leaves_the_vault(
    world: World, caller: Principal, certificates: CertificateClient, tmp_path: Path
) -> None:
    merged = await make_root(world, caller, certificates)
    assert merged.cer is not None
    root = x509.load_der_x509_certificate(bytes(merged.cer))
    root.verify_directly_issued_by(root)
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(True, 1)
    latest = await certificates.get_certificate(ROOT)
    assert latest.properties is not None
    assert merged.properties is not None
    assert (latest.properties.version, latest.properties.tags) == (merged.properties.version, {"meshward": "root"})
    assert openssl_accepts(root, tmp_path / "root.pem")


def openssl_accepts(root: x509.Certificate, pem: Path) -> bool:
    """By its strictest check; true where there is no openssl."""
    pem.write_bytes(root.public_bytes(Encoding.PEM))
    openssl = shutil.which("openssl")
    strict = ["verify", "-x509_strict", "-check_ss_sig", "-no_check_time", "-CAfile", str(pem), str(pem)]
    return openssl is None or subprocess.run([openssl, *strict], check=False, capture_output=True).returncode == 0


async def test_the_key_of_a_pending_request_signs_nothing(
    world: World, vault: Vault, caller: Principal, certificates: CertificateClient
) -> None:
    await requested(certificates)
    pending = vault.certificate(ROOT).pending
    assert pending is not None
    async with signer(world, caller, f"{world.wire.url}/keys/{ROOT}/{pending.version.id}") as client:
        with pytest.raises(HttpResponseError, match="not allowed on a disabled key") as refused:
            await client.sign(SignatureAlgorithm.es256, bytes(32))
    assert refused.value.status_code == 403
    assert vault.signatures == 0


async def test_a_disabled_version_signs_nothing_until_it_is_enabled_again(
    world: World, caller: Principal, certificates: CertificateClient
) -> None:
    issued = await self_issued(certificates)
    assert issued.properties is not None
    await certificates.update_certificate_properties(ROOT, version=issued.properties.version, enabled=False)
    async with signer(world, caller, issued.key_id) as client:
        with pytest.raises(HttpResponseError, match="disabled"):
            await client.sign(SignatureAlgorithm.es256, bytes(32))
        await certificates.update_certificate_properties(ROOT, enabled=True)
        assert len((await client.sign(SignatureAlgorithm.es256, bytes(32))).signature) == 64


async def test_an_expired_root_signs_nothing(world: World, caller: Principal, certificates: CertificateClient) -> None:
    issued = await self_issued(certificates)
    await world.clock.advance(timedelta(days=366))
    async with signer(world, caller, issued.key_id) as client:
        with pytest.raises(HttpResponseError, match="expired"):
            await client.sign(SignatureAlgorithm.es256, bytes(32))


async def test_a_key_can_be_disabled_apart_from_its_certificate(
    keys: KeyClient, certificates: CertificateClient
) -> None:
    issued = await self_issued(certificates)
    assert issued.properties is not None
    disabled = await keys.update_key_properties(ROOT, version=issued.properties.version, enabled=False)
    assert disabled.properties.enabled is False
    assert disabled.properties.managed
    latest = await certificates.get_certificate(ROOT)
    assert latest.properties is not None
    assert latest.properties.enabled


async def test_only_one_request_may_be_pending_for_a_name(certificates: CertificateClient) -> None:
    await requested(certificates)
    with pytest.raises(ResourceExistsError, match="inProgress"):
        await requested(certificates)


async def test_a_cancelled_and_deleted_request_makes_room_for_another(certificates: CertificateClient) -> None:
    await requested(certificates)
    assert (await certificates.cancel_certificate_operation(ROOT)).cancellation_requested
    assert (await certificates.delete_certificate_operation(ROOT)).status == "cancelled"
    with pytest.raises(ResourceNotFoundError, match="Pending certificate not found"):
        await certificates.get_certificate_operation(ROOT)
    assert (await requested(certificates)).status == "inProgress"


async def test_a_certificate_of_another_key_is_not_merged(world: World, certificates: CertificateClient) -> None:
    await requested(certificates)
    key = ec.generate_private_key(ec.SECP256R1())
    validity = (world.clock.now(), world.clock.now() + timedelta(days=1))
    other = issue("CN=other", key.public_key(), issuer="CN=other", signer=key, validity=validity)
    with pytest.raises(HttpResponseError, match="Unable to parse X5c certificate chain") as refused:
        await certificates.merge_certificate(ROOT, [other.public_bytes(Encoding.DER)])
    assert refused.value.status_code == 400


async def test_a_pending_certificate_is_listed_only_on_request(certificates: CertificateClient) -> None:
    await requested(certificates)
    assert [c async for c in certificates.list_properties_of_certificates()] == []
    listed = [c async for c in certificates.list_properties_of_certificates(include_pending=True)]
    assert [(c.name, c.enabled, bool(c.x509_thumbprint)) for c in listed] == [(ROOT, False, False)]


async def test_lists_come_in_pages(vault: Vault, world: World, certificates: CertificateClient) -> None:
    now = world.clock.now()
    for number in range(30):
        vault.seed_root(f"root-{number}", subject_cn="r", not_before=now, not_after=now + timedelta(days=90), tags={})
    assert len([c async for c in certificates.list_properties_of_certificates()]) == 30
    assert len([c async for c in certificates.list_properties_of_certificate_versions("root-1")]) == 2


async def test_a_deleted_name_is_taken_until_it_is_purged(certificates: CertificateClient) -> None:
    await self_issued(certificates)
    await certificates.delete_certificate(ROOT)  # polls until the deleted one shows
    with pytest.raises(ResourceExistsError, match="deleted but recoverable"):
        await requested(certificates)
    assert [c.name async for c in certificates.list_deleted_certificates()] == [ROOT]
    await certificates.purge_deleted_certificate(ROOT)
    assert (await requested(certificates)).status == "inProgress"


async def test_deletions_and_recoveries_appear_late(
    vault: Vault, world: World, certificates: CertificateClient
) -> None:
    await self_issued(certificates)
    vault.delete(ROOT)
    with pytest.raises(ResourceNotFoundError):
        await certificates.get_certificate(ROOT)
    with pytest.raises(ResourceNotFoundError, match="Deleted Certificate not found"):
        await certificates.get_deleted_certificate(ROOT)
    await world.clock.advance(timedelta(seconds=10))
    vault.recover(ROOT)
    with pytest.raises(ResourceNotFoundError):
        await certificates.get_certificate(ROOT)
    await world.clock.advance(timedelta(seconds=10))
    assert (await certificates.get_certificate(ROOT)).name == ROOT


async def test_a_policy_keeps_what_an_update_leaves_out(certificates: CertificateClient) -> None:
    await self_issued(certificates)
    updated = await certificates.update_certificate_policy(ROOT, CertificatePolicy("Self", validity_in_months=24))
    assert (updated.validity_in_months, updated.subject) == (24, "CN=root.linkerd.cluster.local")
    assert (await certificates.get_certificate_policy(ROOT)).validity_in_months == 24


@pytest.mark.parametrize("exportable", [False, True])
async def test_a_secret_holds_the_private_key_only_if_it_is_exportable(
    vault: Vault, certificates: CertificateClient, exportable: bool
) -> None:
    policy = CertificatePolicy(
        "Self",
        subject="CN=x",
        key_type="EC",
        key_curve_name="P-256",
        exportable=exportable,
        content_type="application/x-pem-file",
    )
    await certificates.create_certificate("c", policy)
    request = HttpRequest("GET", f"{certificates.vault_url}/secrets/c/{vault.certificate('c').current.id}")
    answer = await certificates.send_request(request)
    secret = answer.json()["value"]
    assert ("PRIVATE KEY" in secret) is exportable
    assert "BEGIN CERTIFICATE" in secret


async def test_a_vault_makes_twenty_keys_in_ten_seconds(vault: Vault, world: World) -> None:
    policy = complete_policy({"x509_props": {"subject": "CN=x"}, "issuer": {"name": "Unknown"}})
    for number in range(20):
        vault.create(f"c{number}", policy, {})
    with pytest.raises(KeyVaultError, match="too many requests"):
        vault.create("one-more", policy, {})
    await world.clock.advance(timedelta(seconds=10))
    vault.create("one-more", policy, {})


async def test_a_call_without_a_token_is_challenged_before_its_body_is_read(
    world: World, certificates: CertificateClient
) -> None:
    await requested(certificates)
    first, second = list(world.wire.exchanges)[:2]
    assert (first.status, first.request, second.status) == (401, b"", 202)
    assert 'resource="https://vault.azure.net"' in first.headers["WWW-Authenticate"]


async def test_a_caller_whose_role_does_not_reach_the_vault_is_refused(
    vault: Vault, caller: Principal, certificates: CertificateClient
) -> None:
    vault.denied.add(caller.object_id)
    with pytest.raises(HttpResponseError, match="not authorized") as refused:
        await requested(certificates)
    assert refused.value.status_code == 403
    vault.denied.clear()
    assert (await requested(certificates)).status == "inProgress"


@pytest.fixture
def events(world: World, vault: Vault) -> Callable[[], list[str]]:
    """The types of the events that the vault has sent: their subscriber is never there, so each is tried once."""
    topic = f"keyvault-{vault.name}"
    nobody = Subscription(
        name="nobody", topic=topic, endpoint="http://127.0.0.1:9", schema="EventGridSchema", max_attempts=1
    )
    world.event_grid.topic(topic).subscriptions[nobody.name] = nobody
    return lambda: [delivery.event["eventType"].rpartition(".")[2] for delivery in world.event_grid.deliveries]


async def test_the_near_expiry_event_of_a_root_comes_thirty_days_before(
    world: World, vault: Vault, events: Callable[[], list[str]]
) -> None:
    now = world.clock.now()
    vault.seed_root(ROOT, subject_cn="root", not_before=now, not_after=now + timedelta(days=100), tags={})
    await world.clock.advance(timedelta(days=69))
    assert events() == []
    await world.clock.advance(timedelta(days=2))
    assert events() == ["CertificateNearExpiry"]
    await world.clock.advance(timedelta(days=30))
    assert events()[1:] == ["CertificateExpired"]


async def test_a_version_that_was_replaced_or_deleted_has_no_expiry_event(
    world: World, vault: Vault, certificates: CertificateClient, events: Callable[[], list[str]]
) -> None:
    now = world.clock.now()
    for name in (ROOT, "deleted"):
        vault.seed_root(name, subject_cn="root", not_before=now, not_after=now + timedelta(days=100), tags={})
    vault.delete("deleted")
    await self_issued(certificates)
    await world.clock.advance(timedelta(days=101))
    assert events() == ["CertificateNewVersionCreated"]


async def test_making_a_root_publishes_two_events_of_new_versions(
    world: World, caller: Principal, certificates: CertificateClient, events: Callable[[], list[str]]
) -> None:
    await make_root(world, caller, certificates)
    await world.clock.advance(timedelta(seconds=5))
    assert events() == ["CertificateNewVersionCreated"] * 2


async def test_events_may_come_in_the_forms_of_the_documentations_sample(world: World, vault: Vault) -> None:
    now = world.clock.now()
    end = now + timedelta(days=100)
    vault.seed_root(ROOT, subject_cn="root", not_before=now, not_after=end, tags={})
    data = vault.near_expiry_event(ROOT)["data"]
    assert (data["ObjectName"], data["EXP"]) == (ROOT, int(end.timestamp()))
    vault.events_as_sampled = True
    data = vault.near_expiry_event(ROOT)["data"]
    assert (data["ObjectName "], data["EXP"]) == (ROOT, str(int(end.timestamp())))


async def test_a_seeded_root_signs_issuers_at_once_and_digests_over_the_wire(
    world: World, vault: Vault, caller: Principal, certificates: CertificateClient
) -> None:
    now, key = world.clock.now(), ec.generate_private_key(ec.SECP256R1())
    root = vault.seed_root(ROOT, subject_cn="root", not_before=now, not_after=now + timedelta(days=400), tags={})
    issuer = vault.sign_issuer(ROOT, "identity", key.public_key(), now, now + timedelta(days=30))
    issuer.verify_directly_issued_by(root)
    latest = await certificates.get_certificate(ROOT)
    async with signer(world, caller, latest.key_id) as client:
        assert (await client.sign(SignatureAlgorithm.es256, bytes(32))).key_id == latest.key_id
