"""Which root is rotated, when, and to what."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import InvalidEvent, PermanentError
from shared.domain.trust.mesh import Mesh
from shared.domain.trust.roots import (
    AlreadyRotated,
    VaultCertificate,
    certificate_name,
    claim_of,
    claims_in,
    current_roots,
    root_tags,
    rotation_of,
)
from tests.worlds.facts.roots import DOMAIN, lineage, root

OURS = {"meshward:mesh": "linkerd", "meshward:trust-domain": DOMAIN, "meshward:generation": "1"}
DOMAINS = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,45}[a-z0-9])?", fullmatch=True)


def certificate(name: str = "mallory", enabled: bool = True, /, **tags: str) -> VaultCertificate:
    return VaultCertificate(
        name=name,
        enabled=enabled,
        starts_at=root(1).starts_at,
        expires_at=root(1).expires_at,
        tags=OURS | {f"meshward:{tag.replace('_', '-')}": value for tag, value in tags.items()},
    )


@pytest.mark.parametrize(
    "tags",
    [
        {"mesh": "consul"},
        {"trust_domain": ""},
        {"trust_domain": "a b"},
        {"trust_domain": "x" * 48},
        {"generation": ""},
        {"generation": "0"},
        {"generation": "-1"},
        {"generation": "two"},
        {"generation": "1234567"},
        {"generation": "1\N{ARABIC-INDIC DIGIT TWO}"},
    ],
)
def test_a_certificate_without_our_tags_in_order_claims_nothing(tags: dict[str, str]) -> None:
    with pytest.raises(InvalidEvent):
        claim_of(certificate(**tags))
    assert claims_in([certificate(**tags)], []) == []


def test_a_claim_is_read_in_whatever_case_and_with_blanks_around_it() -> None:
    found = claim_of(certificate(mesh="Linkerd", trust_domain=f" {DOMAIN.upper()}", generation="1 "))
    assert (found.mesh, found.trust_domain, found.generation) == (Mesh.LINKERD, DOMAIN, 1)


def test_an_enabled_certificate_with_our_tags_that_is_none_of_record_is_a_claim() -> None:
    vault = [certificate("Known"), certificate("mallory", generation="2"), certificate("old", False)]
    assert [(claim.certificate, claim.generation) for claim in claims_in(vault, ["known"])] == [("mallory", 2)]


def test_the_first_root_may_have_any_name_and_the_next_one_is_named_by_its_generation() -> None:
    rotation = rotation_of("root-prod.contoso.example-1", [lineage(root(1))])
    assert rotation.new == "linkerd-root-prod-contoso-example-702c5961d5b82e49-g0002"
    assert rotation.instance_id == "rotate-prod-contoso-example-702c5961d5b82e49-g2"
    assert root_tags(rotation)["meshward:generation"] == "2"


def test_names_of_certificates_are_compared_without_case() -> None:
    assert rotation_of("ROOT-prod.contoso.example-1", [lineage(root(1))]).generation == 2


def test_a_rotation_under_way_leads_to_the_root_that_is_there() -> None:
    found = rotation_of(root(1).certificate, [lineage(root(1), root(2))])
    assert (found.new, found.generation) == (root(2).certificate, 2)


def test_an_event_of_the_root_that_is_being_introduced_starts_nothing() -> None:
    with pytest.raises(AlreadyRotated):
        rotation_of(root(2).certificate, [lineage(root(1), root(2))])


def test_an_event_of_a_root_whose_key_is_disabled_starts_nothing() -> None:
    with pytest.raises(AlreadyRotated):
        rotation_of(root(1).certificate, [lineage(root(1, enabled=False), root(2))])


@pytest.mark.parametrize(("ended", "expected"), [(True, 3), (False, 2)])
def test_the_number_of_a_root_that_was_given_up_is_not_used_again_and_one_that_is_begun_is(
    ended: bool, expected: int
) -> None:
    found = lineage(root(1), last=2, ended=ended)
    assert rotation_of(root(1).certificate, [found]).generation == expected
    assert found.aborted is ended


def test_a_new_root_that_somebody_has_disabled_on_the_way_begins_no_second_rotation() -> None:
    found = lineage(root(1), root(2, enabled=False))
    assert rotation_of(root(1).certificate, [found]).generation == 2
    given_up = lineage(root(1), root(2, enabled=False), ended=True)
    assert rotation_of(root(1).certificate, [given_up]).generation == 3


def test_generation_10000_follows_9999_and_is_told_from_all_others() -> None:
    rotation = rotation_of(root(9999).certificate, [lineage(root(9999))])
    assert rotation.generation == 10_000
    assert rotation.new.endswith("-g10000")
    assert rotation_of(root(10_000).certificate, [lineage(root(10_000))]).generation == 10_001
    assert claim_of(certificate(generation="10000")).generation == 10_000


def test_an_unknown_certificate_is_declined() -> None:
    with pytest.raises(InvalidEvent, match="NotATrustRoot"):
        rotation_of("other", [lineage(root(1))])


def test_trust_domains_in_one_vault_do_not_disturb_each_other() -> None:
    other = root(7, domain="test.contoso.example")
    vault = [lineage(other), lineage(root(1), root(2))]
    assert rotation_of(root(1).certificate, vault).generation == 2
    assert {r.certificate for r in current_roots(vault)} == {other.certificate, root(1).certificate}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.b", "a-b"),
        ("prod.contoso.example", "prod-contoso.example"),
        ("a..b", "a.b"),
        (f"{'x' * 40}.a", f"{'x' * 40}.b"),
    ],
)
def test_trust_domains_that_differ_in_anything_share_no_name(one: str, other: str) -> None:
    found = [rotation_of(root(1, domain=d).certificate, [lineage(root(1, domain=d))]) for d in (one, other)]
    assert len({rotation.new for rotation in found}) == 2
    assert len({rotation.instance_id for rotation in found}) == 2


@given(st.lists(DOMAINS, min_size=2, max_size=5, unique=True))
def test_no_two_trust_domains_ever_share_a_name(domains: list[str]) -> None:
    assert len({certificate_name(Mesh.LINKERD, domain, 2) for domain in domains}) == len(domains)


def test_roots_in_force_of_one_number_are_rotated_neither_way() -> None:
    second = msgspec.structs.replace(root(1), certificate="root-again")
    for found in (root(1), second):
        with pytest.raises(PermanentError, match="SameGeneration"):
            rotation_of(found.certificate, [lineage(root(1), second)])


@given(st.lists(st.booleans(), min_size=1, max_size=6))
def test_a_current_root_can_always_be_rotated_and_no_other_can(enabled: list[bool]) -> None:
    family = lineage(*(root(n + 1, enabled=on) for n, on in enumerate(enabled)))
    current = {r.certificate for r in current_roots([family])}
    assert len(current) == any(enabled)
    for each in family.roots:
        if each.certificate in current:
            assert rotation_of(each.certificate, [family]).generation > each.generation
        else:
            with pytest.raises(AlreadyRotated):
                rotation_of(each.certificate, [family])


@given(DOMAINS)
def test_a_name_made_of_any_trust_domain_suits_key_vault(domain: str) -> None:
    name = certificate_name(Mesh.LINKERD, domain, 999_999)
    assert len(name) <= 127
    assert all(c.isascii() and (c.isalnum() or c == "-") for c in name)
