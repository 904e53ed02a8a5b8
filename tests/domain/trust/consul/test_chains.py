"""A leaf of Consul under the roots that a verifier trusts, and the service that it is of."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from local.cloud.consul import x509 as made
from local.cloud.key_vault.x509 import issue
from shared.domain.trust.consul.chains import ConsulService, service_of, verifies

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
DAY = timedelta(days=1)
CLUSTER = "11111111-2222-4333-8444-555555555555"
WEB = f"spiffe://{CLUSTER}.consul/ns/default/dc/dc2/svc/web"
KEYS: dict[x509.Certificate, made.PrivateKey] = {}  # of roots


class Chain(NamedTuple):
    """A leaf of a secondary after a change of root, with the certificates that lead to the new root and the old."""

    leaf: x509.Certificate
    crossed: x509.Certificate
    own: x509.Certificate
    old: x509.Certificate
    new: x509.Certificate


def chain(path_length: int | None = None) -> Chain:
    """`path_length` is the old root's, if somebody has supplied it."""
    first, second, third = (made.new_key("ec", bits) for bits in (256, 384, 256))
    old = made.root(first, CLUSTER, "old", NOW - DAY, 3650 * DAY)
    if path_length is not None:
        validity = (NOW - DAY, NOW + 3650 * DAY)
        old = issue(
            "CN=old", first.public_key(), issuer="CN=old", signer=first, validity=validity, path_length=path_length
        )
    new = made.root(second, CLUSTER, "new", NOW, 3650 * DAY)
    own = made.intermediate(new, second, third.public_key(), CLUSTER, NOW, 365 * DAY)
    leaf = made.leaf(own, third, ec.generate_private_key(ec.SECP256R1()).public_key(), WEB, NOW, DAY)
    KEYS[new] = second
    return Chain(leaf, made.cross_signed(new, old, first, NOW), own, old, new)


MADE = chain()
SHOWN = [MADE.leaf, MADE.crossed, MADE.own]


def test_a_leaf_is_good_under_the_new_root_alone_and_under_the_old_one_alone() -> None:
    assert verifies(SHOWN, [MADE.new], NOW)
    assert verifies(SHOWN, [MADE.old], NOW)
    assert verifies(SHOWN, [chain().new, MADE.old], NOW)


def test_without_what_leads_there_it_is_not() -> None:
    assert not verifies([MADE.leaf, MADE.own], [MADE.old], NOW)
    assert not verifies([MADE.leaf, MADE.crossed], [MADE.new], NOW)
    assert not verifies(SHOWN, [], NOW)
    assert not verifies(SHOWN, [chain().new], NOW)
    assert not verifies([], [MADE.new], NOW)


def test_what_has_ended_leads_nowhere() -> None:
    assert not verifies(SHOWN, [MADE.new], NOW + 2 * DAY)
    assert not verifies(SHOWN, [MADE.new], NOW - DAY)
    later = NOW + 8 * DAY  # the cross-signed root lives for seven days
    key = made.new_key("ec", 256)
    own = made.intermediate(MADE.new, KEYS[MADE.new], key.public_key(), CLUSTER, NOW, 365 * DAY)
    leaf = made.leaf(own, key, key.public_key(), WEB, NOW, 30 * DAY)
    assert verifies([leaf, MADE.crossed, own], [MADE.new], later)
    assert not verifies([leaf, MADE.crossed, own], [MADE.old], later)


def test_a_path_is_no_longer_than_its_authorities_allow() -> None:
    for length, holds in ((0, False), (1, False), (2, True)):
        supplied = chain(path_length=length)
        assert verifies([supplied.leaf, supplied.crossed, supplied.own], [supplied.old], NOW) is holds


def test_what_is_no_authority_vouches_for_nobody() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    validity = (NOW - DAY, NOW + DAY)
    mere = issue("CN=web", key.public_key(), issuer="CN=web", signer=key, validity=validity)
    below = issue("CN=db", key.public_key(), issuer="CN=web", signer=key, validity=validity)
    assert not verifies([below], [mere], NOW)
    assert not verifies([MADE.own, MADE.crossed], [MADE.old], NOW)  # an authority is nobody's leaf


def test_more_than_consul_ever_sends_is_not_walked() -> None:
    assert not verifies([*SHOWN, *[MADE.crossed] * 8], [MADE.new], NOW)


def test_a_leaf_names_its_service() -> None:
    found = service_of(MADE.leaf)
    assert found == ConsulService(trust_domain=f"{CLUSTER}.consul", datacenter="dc2", name="web")


@pytest.mark.parametrize(
    "names",
    [
        [x509.UniformResourceIdentifier(WEB), x509.UniformResourceIdentifier(WEB)],
        [x509.UniformResourceIdentifier(WEB), x509.DNSName("web.example")],
        [x509.DNSName("web.example")],
        [x509.UniformResourceIdentifier(f"{WEB}/x")],
        [x509.UniformResourceIdentifier(f"{WEB}?x")],
        [x509.UniformResourceIdentifier(f"{WEB}%2fx")],
        [x509.UniformResourceIdentifier(WEB.replace("spiffe", "https"))],
        [x509.UniformResourceIdentifier(WEB.replace("/ns/default", ""))],
        [x509.UniformResourceIdentifier(f"spiffe://{CLUSTER}.consul/agent/client/dc/dc2/id/node")],
        [x509.UniformResourceIdentifier(f"spiffe://{CLUSTER}.consul")],
        [],
    ],
)
def test_another_form_of_name_is_nobodys(names: list[x509.GeneralName]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + DAY)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
    assert service_of(builder.sign(key, SHA256())) is None
