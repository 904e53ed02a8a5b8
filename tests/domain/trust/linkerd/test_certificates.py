"""Issuers and bundles: made by the domain, signed here, and judged by OpenSSL's own verification."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.errors import PermanentError
from shared.domain.trust.certificates import fingerprint, fingerprints, pem
from shared.domain.trust.linkerd.certificates import bundle_pem, issuer_certificate, issuer_expiry
from shared.domain.trust.phases import Phase
from tests.worlds.facts.certificates import DOMAIN, KEYS, NEW, OLD, OTHER
from tests.worlds.times import NOW


def test_an_issuer_chains_to_its_root_and_signs_leaves_only() -> None:
    issuer = issuer_certificate(DOMAIN, KEYS[2].public_key(), NEW, NOW, timedelta(hours=48)).sign(KEYS[1], SHA256())
    assert issuer_expiry(pem(issuer), NEW, NOW) == issuer.not_valid_after_utc == NOW + timedelta(hours=48)
    assert issuer_expiry(pem(issuer), OLD, NOW) is None
    assert issuer_expiry(pem(issuer), NEW, NOW + timedelta(days=400)) is None
    assert issuer_expiry("nonsense", NEW, NOW) is None
    constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (constraints.ca, constraints.path_length) == (True, 0)


@given(st.integers(0, 364))
@settings(max_examples=20)
def test_an_issuer_never_outlives_its_root(days: int) -> None:
    later = NOW + timedelta(days=days)
    issuer = issuer_certificate(DOMAIN, KEYS[2].public_key(), NEW, later, timedelta(hours=48)).sign(KEYS[1], SHA256())
    assert NEW.not_valid_before_utc <= issuer.not_valid_before_utc
    assert issuer.not_valid_after_utc <= NEW.not_valid_after_utc


@pytest.mark.parametrize(
    ("phase", "roots"),
    [
        (Phase.DISTRIBUTE, [NEW, OLD]),
        (Phase.ACTIVATE, [NEW, OLD]),
        (Phase.RETIRE, [NEW]),
    ],
)
@pytest.mark.parametrize("found", [pem(OLD), pem(NEW) + pem(OLD), "# ours\n" + pem(OLD) + "\n\n", pem(NEW)])
def test_a_bundle_is_written_the_same_whatever_it_was(phase: Phase, roots: list[x509.Certificate], found: str) -> None:
    text = bundle_pem(phase, found, OLD, NEW)
    assert text == "".join(pem(root) for root in roots)
    assert text.endswith("-----END CERTIFICATE-----\n")
    assert bundle_pem(phase, text, OLD, NEW) == text


def test_roots_of_linked_meshes_stay_in_the_bundle() -> None:
    text = bundle_pem(Phase.DISTRIBUTE, pem(OTHER) + pem(OLD), OLD, NEW)
    assert fingerprints(text) == {fingerprint(c) for c in (OLD, NEW, OTHER)}
    assert fingerprints(bundle_pem(Phase.RETIRE, text, OLD, NEW)) == {fingerprint(NEW), fingerprint(OTHER)}


@pytest.mark.parametrize("found", ["", "nonsense", pem(OTHER)])
def test_a_bundle_without_any_root_of_ours_is_not_touched(found: str) -> None:
    with pytest.raises(PermanentError, match="ForeignBundle"):
        bundle_pem(Phase.DISTRIBUTE, found, OLD, NEW)
