"""Terms of protection that can't be meant are refused with the path of the knob."""

import json

import pytest

from shared.domain.errors import PermanentError
from shared.domain.policy import policy_of
from shared.domain.vaults.policy import ProtectPolicy


def test_the_defaults_are_the_strongest_that_can_be_undone() -> None:
    terms = ProtectPolicy()
    assert (terms.redundancy, terms.redundancy_fallback, terms.soft_delete) == ("GeoRedundant", None, "On")
    assert (terms.lock, terms.subscriptions) == ((), ())


@pytest.mark.parametrize(
    ("knob", "value", "why"),
    [
        ("soft_delete", "Off", "Invalid enum value"),
        ("soft_delete_days", 13, ">= 14"),
        ("redundancy", "Some", "Invalid enum value"),
        ("backup_every", "PT5H", "every 4, 6, 8, 12 or 24 hours"),
        ("keep", "PT36H", "whole days"),
        ("keep", "P0D", "shorter than PT24H"),
        ("release_after", "P6D", "shorter than `keep`"),
        ("imutability", "Locked", "unknown field|no such field"),
    ],
)
def test_a_knob_that_cant_be_meant_is_refused_by_its_path(knob: str, value: object, why: str) -> None:
    document = json.dumps({"default": {"protect": {knob: value}}}).encode()
    with pytest.raises(PermanentError, match=rf"BadPolicy.*\$\.default\.protect\.{knob}.*({why})"):
        policy_of(document)


def test_a_policys_name_says_what_is_in_it() -> None:
    document = b'{"default": {"protect": {"backup_every": "PT4H", "keep": "P30D"}}}'
    assert policy_of(document).at().protect.backup_policy == "every-4h-keep-30d"
