"""Whether what a member has proven is still true, on facts made by hand."""

from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from shared.domain.errors import PermanentError
from shared.domain.trust.certificates import fingerprint, pem
from shared.domain.trust.linkerd.certificates import issuer_certificate
from shared.domain.trust.linkerd.facts import Bundle, Proxy
from shared.domain.trust.linkerd.standing import require_not_signed, require_signer_kept, require_trust_kept
from shared.domain.trust.phases import Phase, Roots
from tests.worlds.facts.certificates import DOMAIN, KEYS, NEW, OLD
from tests.worlds.facts.proxies import proxy
from tests.worlds.times import MINUTE, NOW

ROOTS = Roots(old=fingerprint(OLD), new=fingerprint(NEW), old_version="1", new_version="2")


def bundle(*roots: x509.Certificate, written_at: datetime | None = NOW - timedelta(days=1)) -> Bundle:
    return Bundle(pem="".join(map(pem, roots)), written_at=written_at, owner="")


def trusting(*roots: x509.Certificate) -> Proxy:
    return proxy("web-1", *map(fingerprint, roots))


@pytest.mark.parametrize("phase", [Phase.ACTIVATE, Phase.SETTLE])
@pytest.mark.parametrize(
    ("found", "seen"),
    [
        (bundle(OLD), trusting(NEW, OLD)),  # it was put back
        (bundle(NEW), trusting(NEW, OLD)),
        (bundle(NEW, OLD, written_at=None), trusting(NEW, OLD)),
        (bundle(NEW, OLD), trusting(OLD)),  # a pod from while it was
        (bundle(NEW, OLD), proxy("identity", roots=None, created_at=NOW - timedelta(days=2))),
    ],
)
def test_a_bundle_that_was_put_back_is_a_lost_proof_and_so_is_a_proxy_from_while_it_was(
    phase: Phase, found: Bundle, seen: Proxy
) -> None:
    with pytest.raises(PermanentError, match=r"ProofLost: .*aks-east"):
        require_trust_kept("aks-east", phase, ROOTS, found, [trusting(NEW, OLD), seen])


def test_what_is_as_it_was_proven_is_no_loss_nor_is_a_proxy_that_has_not_started_yet() -> None:
    starting = proxy("identity", roots=None, created_at=NOW - MINUTE, started_at=None)
    started = proxy("identity-2", roots=None)
    require_trust_kept("aks-east", Phase.SETTLE, ROOTS, bundle(NEW, OLD), [trusting(NEW, OLD), starting, started])


ISSUER = pem(issuer_certificate(DOMAIN, KEYS[2].public_key(), NEW, NOW, timedelta(hours=48)).sign(KEYS[1], SHA256()))


def test_an_issuer_of_another_root_or_one_that_has_expired_is_a_lost_proof() -> None:
    require_signer_kept("aks-east", ISSUER, NEW, NOW)
    lost = [(ISSUER, OLD, NOW), (ISSUER, NEW, NOW + timedelta(hours=49)), ("nonsense", NEW, NOW)]
    for text, signer, at in lost:
        with pytest.raises(PermanentError, match="ProofLost"):
            require_signer_kept("aks-east", text, signer, at)


def test_no_bundle_drops_the_root_of_the_issuer_that_is_there() -> None:
    with pytest.raises(PermanentError, match="ProofLost"):
        require_not_signed("aks-east", ISSUER, NEW, NOW)
    require_not_signed("aks-east", ISSUER, OLD, NOW)
