"""Roots: made by the domain, signed here, and judged by OpenSSL's own verification."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from shared.domain.trust.certificates import root_certificate
from shared.domain.trust.linkerd.certificates import issuer_certificate
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
