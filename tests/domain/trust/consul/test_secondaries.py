"""A secondary follows if it signs under the primary's root with a key of its own, which has an intermediate."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from local.cloud.consul import x509 as made
from shared.domain.trust.consul.facts import ConsulRoot, ConsulRoots
from shared.domain.trust.consul.secondaries import behind

NOW, YEAR = datetime(2027, 1, 15, 8, tzinfo=UTC), timedelta(days=365)
CLUSTER = "11111111-2222-4333-8444-555555555555"
_ROOT_KEY, _OWN_KEY = made.new_key("ec", 256), made.new_key("ec", 256)
_ROOT = made.root(_ROOT_KEY, CLUSTER, "new", NOW, 10 * YEAR)
_OWN = made.intermediate(_ROOT, _ROOT_KEY, _OWN_KEY.public_key(), CLUSTER, NOW, YEAR)
FIRST = ConsulRoot(
    id=made.certificate_id(_ROOT),
    certificate=made.pem(_ROOT),
    intermediates=(),
    signing_key_id=made.key_id(_ROOT_KEY.public_key()),
    active=True,
)
SECOND = msgspec.structs.replace(
    FIRST, intermediates=(made.pem(_OWN),), signing_key_id=made.key_id(_OWN_KEY.public_key())
)


def roots(*found: ConsulRoot) -> ConsulRoots:
    return ConsulRoots(trust_domain=f"{CLUSTER}.consul", active_id="", roots=found, index=1)


def test_a_secondary_with_an_intermediate_for_its_own_key_follows() -> None:
    old = msgspec.structs.replace(SECOND, id="old", active=False)
    assert behind(roots(FIRST), roots(old, SECOND)) == ""


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ([], "secondary has no active root"),
        ([msgspec.structs.replace(SECOND, id="old")], "its active root is old"),
        ([FIRST], "has refused it an intermediate"),
        ([msgspec.structs.replace(SECOND, intermediates=())], "no intermediate for its signing key"),
        ([msgspec.structs.replace(SECOND, intermediates=(FIRST.certificate,))], "no intermediate for its signing key"),
        ([msgspec.structs.replace(SECOND, intermediates=("no certificate",))], "no intermediate for its signing key"),
    ],
)
def test_any_other_is_behind_and_it_is_said_why(second: list[ConsulRoot], words: str) -> None:
    assert words in behind(roots(FIRST), roots(*second))


def test_a_primary_without_root_has_nobody_to_follow_it() -> None:
    assert "primary has no active root" in behind(roots(), roots(SECOND))
