"""What is said of certificates that claim to be roots, and which of them an operator can admit."""

import pytest
from msgspec.structs import replace

from shared.domain.errors import Conflict, InvalidEvent, NotFound, PermanentError
from shared.domain.trust.admission import (
    RefusedRoot,
    admission_call,
    admitted,
    refused_root,
    require_first,
    require_named,
    require_new_number,
    require_none_refused,
    require_root,
)
from shared.domain.trust.mesh import Mesh
from shared.domain.trust.roots import RootClaim
from tests.worlds.facts.certificates import NEW, OLD
from tests.worlds.facts.roots import DOMAIN, SEEN, lineage, root

CLAIM = RootClaim(certificate="mallory", mesh=Mesh.LINKERD, trust_domain=DOMAIN, generation=2)
PRINT = "ab" * 32


def refused(*, first: bool) -> RefusedRoot:
    return refused_root(CLAIM, PRINT, None if first else lineage(root(1)), "kv")


def test_where_no_root_was_admitted_a_claim_is_told_with_the_exact_call_that_admits_it() -> None:
    found = refused(first=True)
    assert (found.reason, found.fingerprint) == ("RootNotAdmitted", PRINT)
    assert admission_call(DOMAIN, PRINT) in found.message


def test_beside_a_current_root_a_claim_is_told_with_the_command_that_disables_it() -> None:
    found = refused(first=False)
    assert found.reason == "ForeignRoot"
    assert "az keyvault certificate set-attributes --vault-name kv --name mallory --enabled false" in found.message


def test_a_domain_whose_roots_are_all_disabled_may_begin_again_by_an_admission() -> None:
    gone = lineage(root(1, enabled=False))
    assert refused_root(CLAIM, PRINT, gone, "kv").reason == "RootNotAdmitted"
    require_first(gone, DOMAIN)
    require_first(None, DOMAIN)
    with pytest.raises(Conflict, match="RootAdmitted"):
        require_first(lineage(root(1)), DOMAIN)


def test_all_claims_are_told_together() -> None:
    require_none_refused([])
    with pytest.raises(PermanentError, match=r"RootNotAdmitted: .*mallory.*; .*mallory"):
        require_none_refused([refused(first=True), refused(first=False)])


@pytest.mark.parametrize("other", [{"fingerprint": "cd" * 32}, {"trust_domain": "other.example"}])
def test_only_a_certificate_of_that_fingerprint_and_trust_domain_is_admitted(other: dict[str, str]) -> None:
    found = refused(first=True)
    assert require_named([found], DOMAIN, PRINT) is found
    with pytest.raises(NotFound, match="NoSuchRoot"):
        require_named([replace(found, **other)], DOMAIN, PRINT)


def test_a_generation_that_was_used_is_not_admitted_again() -> None:
    require_new_number(refused(first=True), 1)
    with pytest.raises(Conflict, match="GenerationUsed"):
        require_new_number(refused(first=True), 2)


def test_a_root_is_an_authority_that_has_signed_itself() -> None:
    require_root(NEW, "new")
    with pytest.raises(InvalidEvent, match="NotATrustRoot"):
        require_root(OLD, "without basic constraints")


def test_the_row_says_who_has_admitted_the_root_and_why() -> None:
    record = admitted(refused(first=True), "someone", "as in the bundles", SEEN)
    assert (record.origin, record.by, record.why, record.at) == ("admitted", "someone", "as in the bundles", SEEN)
    assert (record.certificate, record.generation, record.fingerprint) == ("mallory", 2, PRINT)
