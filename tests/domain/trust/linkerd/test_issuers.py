"""Who gets an issuer, and under which root: only a member that proves to hold the one before it."""

import base64
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import PermanentError
from shared.domain.trust.certificates import pem
from shared.domain.trust.linkerd.certificates import is_key_of, issuer_certificate
from shared.domain.trust.linkerd.facts import IssuerSecret
from shared.domain.trust.linkerd.issuers import (
    IssuerSeen,
    is_due,
    require_possession,
    require_signer_trusted,
    require_trusted,
)
from tests.worlds.facts.certificates import DOMAIN, KEYS, NEW, OLD, OTHER
from tests.worlds.times import DAY, HOUR, NOW, SECOND

KEY, JUNK = KEYS[2], KEYS[3]
LIFETIME = 48 * HOUR
AT = NOW + 10 * DAY  # the old root has expired, the new one is in force


class SignedBy(NamedTuple):
    certificate: x509.Certificate


def issued(root: x509.Certificate = NEW, signer: Any = KEYS[1], age: timedelta = HOUR) -> str:
    """An issuer (PEM) under the root that is so old."""
    made = AT - age
    return pem(issuer_certificate(DOMAIN, KEY.public_key(), root, made, LIFETIME).sign(signer, SHA256()))


def secret(certificate: str, **facts: Any) -> IssuerSecret:
    seen = {"holds_key": True, "bundle": "", "resource_version": "1", "written_at": None, "owner": "", **facts}
    return IssuerSecret(certificate=certificate, **seen)


def text(key: Any) -> str:
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


@pytest.mark.parametrize(
    ("every", "lifetime", "due_after"),
    [(DAY, 10 * DAY, DAY), (DAY, 30 * HOUR, 15 * HOUR), (6 * HOUR, 48 * HOUR, 6 * HOUR)],
)
def test_an_issuer_is_due_at_the_policy_s_age_or_at_half_of_its_life(
    every: timedelta, lifetime: timedelta, due_after: timedelta
) -> None:
    issuer = issuer_certificate(DOMAIN, KEY.public_key(), NEW, NOW, lifetime).sign(KEYS[1], SHA256())
    begun = issuer.not_valid_before_utc
    half = (issuer.not_valid_after_utc - begun) / 2
    due_after = min(due_after, half) if due_after == every else half
    assert not is_due(issuer, every, begun + due_after - SECOND)
    assert is_due(issuer, every, begun + due_after)


def test_an_issuer_s_end_is_remembered_and_a_danger_once_a_quarter_of_its_life_is_left() -> None:
    seen = IssuerSeen(cluster="aks-east", starts_at=NOW, expires_at=NOW + 40 * HOUR)
    assert [seen.hours_left(NOW + age * HOUR) for age in (0, 30, 41)] == [40, 10, -1]
    assert [seen.is_ending(NOW + age * HOUR) for age in (29, 30, 41)] == [False, True, True]


def test_no_issuer_is_signed_by_a_root_that_the_member_s_own_bundle_does_not_hold() -> None:
    require_signer_trusted("aks-east", NEW, pem(OLD) + pem(NEW))
    for bundle in (pem(OLD), "", "junk"):
        with pytest.raises(PermanentError, match="SignerNotTrusted"):
            require_signer_trusted("aks-east", NEW, bundle)


def test_who_holds_a_valid_issuer_of_a_root_in_force_is_told_which_root_that_is() -> None:
    assert require_possession("aks-east", secret(issued()), [SignedBy(OLD), SignedBy(NEW)], AT).certificate == NEW


@pytest.mark.parametrize(
    ("found", "roots", "reason"),
    [
        (secret(issued(), holds_key=False), [NEW], "IssuerKeyMismatch"),
        (secret(issued(age=LIFETIME + HOUR)), [NEW], "IssuerNotValid"),
        (secret(issued(age=-HOUR)), [NEW], "IssuerNotValid"),
        (secret(issued()), [OLD], "ForeignIssuer"),
        (secret(issued(signer=JUNK)), [NEW], "ForeignIssuer"),
        (secret(issued()), [], "ForeignIssuer"),
        (secret("no certificate"), [NEW], "BadIssuer"),
    ],
)
def test_who_does_not_prove_to_hold_one_is_refused_with_the_reason(
    found: IssuerSecret, roots: list[x509.Certificate], reason: str
) -> None:
    with pytest.raises(PermanentError) as refused:
        require_possession("aks-east", found, map(SignedBy, roots), AT)
    assert refused.value.reason == reason
    assert "aks-east" in refused.value.message


def test_under_a_root_that_has_expired_an_issuer_need_not_be_valid() -> None:
    found, later = secret(issued()), AT + 500 * DAY
    assert require_possession("aks-east", found, [SignedBy(NEW)], later).certificate == NEW
    with pytest.raises(PermanentError, match="IssuerKeyMismatch"):
        require_possession("aks-east", secret(found.certificate, holds_key=False), [SignedBy(NEW)], later)


def test_a_key_is_a_certificate_s_if_their_public_halves_are_one() -> None:
    assert is_key_of(text(KEY), issued())
    assert not is_key_of(text(JUNK), issued())


def test_a_key_that_only_carries_the_public_half_of_a_certificate_is_not_its_key() -> None:
    # PKCS #8 repeats the public point beside the private number: the number here is another one
    numbers, junk = KEY.private_numbers(), JUNK.private_numbers().private_value
    mine = numbers.private_value.to_bytes(32)
    der = KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    forged = base64.b64encode(der.replace(mine, junk.to_bytes(32))).decode()
    assert not is_key_of(f"-----BEGIN PRIVATE KEY-----\n{forged}\n-----END PRIVATE KEY-----\n", issued())


@pytest.mark.parametrize("key", [rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate()])
def test_a_key_of_another_kind_is_not_the_certificate_s(key: Any) -> None:
    assert not is_key_of(text(key), issued())


def test_an_issuer_with_an_rsa_key_proves_itself_too() -> None:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name.from_rfc4514_string("CN=an issuer")
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = builder.serial_number(1).not_valid_before(NOW - HOUR).not_valid_after(NOW + HOUR).sign(key, SHA256())
    assert is_key_of(text(key), pem(made))
    assert not is_key_of(text(rsa.generate_private_key(65537, 2048)), pem(made))


@given(st.text() | st.text(max_size=20).map(lambda junk: text(KEY).replace("M", junk, 1)))
def test_whatever_stands_there_for_a_key_is_judged_and_not_raised(junk: str) -> None:
    assert not is_key_of(junk, issued()) or junk == text(KEY)


def test_a_key_of_a_megabyte_is_not_read() -> None:
    assert not is_key_of(" " * 10**6 + text(ec.generate_private_key(ec.SECP256R1())), issued())


def test_under_a_root_that_was_never_admitted_a_valid_issuer_of_a_cluster_that_trusts_it_is_renewed() -> None:
    require_trusted("aks-east", x509.load_pem_x509_certificate(issued().encode()), NEW, pem(OTHER) + pem(NEW), AT)


@pytest.mark.parametrize(("bundle", "later"), [(pem(OTHER), HOUR), ("", HOUR), (pem(NEW), 3 * DAY)])
def test_and_no_issuer_of_a_cluster_that_does_not_trust_it_now(bundle: str, later: timedelta) -> None:
    issuer = x509.load_pem_x509_certificate(issued().encode())
    with pytest.raises(PermanentError, match=r"RootNotAdmitted: .*GET /api/plans/rotations"):
        require_trusted("aks-east", issuer, NEW, bundle, AT + later)
