"""Which root is rotated, when, and to what."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import InvalidEvent, PermanentError
from shared.domain.trust.roots import (
    AlreadyRotated,
    VaultCertificate,
    current_roots,
    root_tags,
    rotation_of,
    slug,
    trust_root,
)

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
DOMAIN = "prod.contoso.example"


def root(
    generation: int, *, enabled: bool = True, domain: str = DOMAIN, tags: dict[str, str] | None = None
) -> VaultCertificate:
    ours = {"meshward:mesh": "linkerd", "meshward:trust-domain": domain, "meshward:generation": str(generation)}
    return VaultCertificate(
        name=f"root-{domain}-{generation}",
        enabled=enabled,
        starts_at=NOW - timedelta(days=65),
        expires_at=NOW + timedelta(days=300),
        tags=ours | {f"meshward:{name}": value for name, value in (tags or {}).items()},
    )


SECOND = msgspec.structs.replace(root(1), name="root-again")


@pytest.mark.parametrize(
    "tags",
    [
        {"mesh": "consul"},
        {"trust-domain": ""},
        {"trust-domain": "a b"},
        {"trust-domain": "Prod.Contoso.Example"},
        {"trust-domain": "x" * 48},
        {"generation": ""},
        {"generation": "0"},
        {"generation": "-1"},
        {"generation": "two"},
        {"generation": "12345"},
        {"generation": "1\N{ARABIC-INDIC DIGIT TWO}"},
    ],
)
def test_a_certificate_without_our_tags_in_order_is_no_root(tags: dict[str, str]) -> None:
    with pytest.raises(InvalidEvent):
        trust_root(root(1, tags=tags))
    assert current_roots([root(1, tags=tags)]) == []


def test_the_first_root_may_have_any_name_and_the_next_one_is_named_by_its_generation() -> None:
    rotation = rotation_of("root-prod.contoso.example-1", [root(1)])
    assert rotation.new == "linkerd-root-prod-contoso-example-702c5961d5b82e49-g0002"
    assert rotation.instance_id == "rotate-prod-contoso-example-702c5961d5b82e49-g2"
    assert root_tags(rotation)["meshward:generation"] == "2"


def test_names_of_certificates_are_compared_without_case() -> None:
    assert rotation_of("ROOT-prod.contoso.example-1", [root(1)]).generation == 2


def test_a_rotation_under_way_leads_to_the_root_that_is_there() -> None:
    assert rotation_of(root(1).name, [root(1), root(2)]).new == root(2).name


def test_an_old_event_of_a_root_that_was_replaced_starts_nothing() -> None:
    with pytest.raises(AlreadyRotated):
        rotation_of(root(1).name, [root(1, enabled=False), root(2)])


def test_an_event_of_the_root_that_is_being_introduced_starts_nothing() -> None:
    with pytest.raises(AlreadyRotated):
        rotation_of(root(2).name, [root(1), root(2)])


def test_the_number_of_a_root_that_was_given_up_is_not_used_again() -> None:
    assert rotation_of(root(1).name, [root(1), root(2, enabled=False)]).generation == 3


def test_an_unknown_certificate_is_declined() -> None:
    with pytest.raises(InvalidEvent):
        rotation_of("other", [root(1)])


def test_trust_domains_in_one_vault_do_not_disturb_each_other() -> None:
    other = root(7, domain="test.contoso.example")
    assert rotation_of(root(1).name, [other, root(1)]).generation == 2
    assert {r.certificate for r in current_roots([other, root(1), root(2)])} == {other.name, root(1).name}


def test_of_two_trust_domains_that_names_can_t_tell_apart_the_younger_one_is_refused() -> None:
    older, younger = root(1, domain="shop.example"), root(1, domain="shop-example")
    younger = msgspec.structs.replace(younger, starts_at=older.starts_at + timedelta(days=1))
    for vault in ([older, younger], [younger, older]):
        assert rotation_of(older.name, vault).trust_domain == "shop.example"
        with pytest.raises(PermanentError, match=r"TrustDomainsAlike: .*shop-example and shop\.example"):
            rotation_of(younger.name, vault)


@pytest.mark.parametrize("certificates", [[root(1), SECOND], [SECOND, root(1)], [root(1), root(2), SECOND]])
def test_roots_in_force_of_one_number_are_rotated_neither_way(certificates: list[VaultCertificate]) -> None:
    for found in certificates[:2]:
        with pytest.raises(PermanentError, match="SameGeneration"):
            rotation_of(found.name, certificates)


@given(st.lists(st.booleans(), min_size=1, max_size=6))
def test_a_current_root_can_always_be_rotated_and_no_other_can(enabled: list[bool]) -> None:
    family = [root(n + 1, enabled=on) for n, on in enumerate(enabled)]
    current = {r.certificate for r in current_roots(family)}
    assert len(current) == any(enabled)
    for certificate in family:
        if certificate.name in current:
            assert rotation_of(certificate.name, family).generation > trust_root(certificate).generation
        else:
            with pytest.raises(AlreadyRotated):
                rotation_of(certificate.name, family)


@given(st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,45}[a-z0-9])?", fullmatch=True))
def test_a_name_made_of_any_trust_domain_suits_key_vault(domain: str) -> None:
    name = rotation_of(f"root-{domain}-1", [root(1, domain=domain)]).new
    assert len(name) <= 127
    assert all(c.isascii() and (c.isalnum() or c == "-") for c in name)
    assert slug(domain)
