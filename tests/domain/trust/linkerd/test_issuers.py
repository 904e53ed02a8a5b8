"""Under which root an issuer is renewed."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from shared.domain.errors import PermanentError
from shared.domain.trust.certificates import pem
from shared.domain.trust.linkerd.certificates import issuer_certificate
from shared.domain.trust.linkerd.issuers import require_trusted
from tests.worlds.facts.certificates import DOMAIN, KEYS, NEW, OTHER
from tests.worlds.times import NOW

DAYS = timedelta(days=1)


def issuer() -> x509.Certificate:
    return issuer_certificate(DOMAIN, KEYS[2].public_key(), NEW, NOW, 2 * DAYS).sign(KEYS[1], SHA256())


def test_under_a_root_that_was_never_admitted_a_valid_issuer_of_a_cluster_that_trusts_it_is_renewed() -> None:
    require_trusted("aks-east", issuer(), NEW, pem(OTHER) + pem(NEW), NOW + DAYS)


@pytest.mark.parametrize(("bundle", "later"), [(pem(OTHER), DAYS), ("", DAYS), (pem(NEW), 3 * DAYS)])
def test_and_no_issuer_of_a_cluster_that_does_not_trust_it_now(bundle: str, later: timedelta) -> None:
    with pytest.raises(PermanentError, match=r"RootNotAdmitted: .*GET /api/plans/rotations"):
        require_trusted("aks-east", issuer(), NEW, bundle, NOW + later)
