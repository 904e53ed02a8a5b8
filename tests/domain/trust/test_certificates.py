"""Roots: made by the domain, signed here, and judged by OpenSSL's own verification."""

import base64
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import PermanentError
from shared.domain.trust.certificates import fingerprints, pem, root_certificate
from shared.domain.trust.linkerd.certificates import issuer_certificate
from shared.domain.trust.linkerd.issuers import issuer_of
from tests.worlds.facts.certificates import DOMAIN, KEYS, NEW, OLD, rotation
from tests.worlds.times import NOW


def test_a_new_root_is_an_authority_that_lives_as_long_as_the_old_one_did() -> None:
    NEW.verify_directly_issued_by(NEW)
    constraints = NEW.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert constraints.ca
    assert NEW.not_valid_after_utc - NEW.not_valid_before_utc == timedelta(days=365)
    assert NEW.not_valid_before_utc < NOW


@pytest.mark.parametrize("lifetime", [timedelta(hours=1), timedelta(days=3650)])
def test_a_new_root_lives_as_long_as_the_policy_says(lifetime: timedelta) -> None:
    root = root_certificate(rotation(2), KEYS[1].public_key(), OLD, NOW, lifetime).sign(KEYS[1], SHA256())
    assert root.not_valid_after_utc - root.not_valid_before_utc == lifetime


def test_no_root_shares_its_subject_with_another_root_or_an_issuer() -> None:
    third = root_certificate(rotation(3), KEYS[2].public_key(), NEW, NOW).sign(KEYS[2], SHA256())
    issuer = issuer_certificate(DOMAIN, KEYS[2].public_key(), NEW, NOW, timedelta(hours=48)).sign(KEYS[1], SHA256())
    assert len({c.subject for c in (OLD, NEW, third, issuer)}) == 4
    assert issuer.subject.rfc4514_string() == f"CN=identity.linkerd.{DOMAIN}"


_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def as_version_2(certificate: x509.Certificate) -> str:
    """The certificate in PEM, with a version that nobody uses."""
    der = certificate.public_bytes(Encoding.DER).replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x01", 1)
    return f"{_BEGIN}\n{base64.encodebytes(der).decode()}{_END}\n"


@pytest.mark.parametrize("text", ["", "x", pem(NEW)[:200], as_version_2(NEW), pem(OLD) + as_version_2(NEW), "\ud800"])
def test_a_certificate_that_nobody_can_read_is_trusted_by_nobody_and_no_error_of_its_bundle(text: str) -> None:
    assert fingerprints(text) == frozenset()
    with pytest.raises(PermanentError, match=r"BadIssuer.*aks-east"):
        issuer_of("aks-east", text)


def test_a_bundle_of_more_than_some_hundred_certificates_is_not_read() -> None:
    assert fingerprints(pem(NEW) * 1000) == frozenset()


@given(st.text() | st.binary().map(lambda b: f"{_BEGIN}\n{base64.b64encode(b).decode()}\n{_END}\n"))
def test_whatever_a_pod_calls_its_roots_is_read_or_is_none(text: str) -> None:
    assert isinstance(fingerprints(text), frozenset)
