"""The policy document: layers, defaults, and what is refused with which path."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from shared.domain.errors import PermanentError
from shared.domain.policy import Knobs, policy_of
from tests.worlds.facts.policies import BLUE, read

MANY = '$.clusters["' + BLUE + '"].trust'


def trust(**knobs: Any) -> dict[str, Any]:
    return {"trust": knobs}


def test_without_a_document_every_knob_has_its_default() -> None:
    assert policy_of(None).at("shop.example", BLUE) == Knobs()


def test_a_cluster_goes_over_its_trust_domain_and_this_over_the_default_knob_by_knob() -> None:
    policy = read(
        default=trust(restarts_at_once=1, settle_within="P1D", retire_within="P1D"),
        trust_domains={"shop.example": {"members": [BLUE], **trust(restarts_at_once=2, settle_within="P2D")}},
        clusters={BLUE: trust(restarts_at_once=10)},
    )
    blue, other = policy.at("shop.example", BLUE).trust, policy.at("bank.example").trust
    assert (blue.restarts_at_once, blue.settle_within, blue.retire_within) == (
        10,  # the default of the knob itself, said again to go over the layers below
        timedelta(days=2),
        timedelta(days=1),
    )
    assert (other.restarts_at_once, other.settle_within) == (1, timedelta(days=1))


def test_names_are_compared_without_case() -> None:
    policy = read(
        trust_domains={"Shop.example": {"members": [BLUE.title()], **trust(restarts_at_once=2)}},
        clusters={BLUE: trust(settle_within="P9D")},
    )
    found = policy.at("shop.EXAMPLE", BLUE.upper()).trust
    assert (found.restarts_at_once, found.settle_within) == (2, timedelta(days=9))


def test_a_former_name_of_a_knob_is_still_taken_on_every_layer() -> None:
    policy = read(
        default={"verify": {"share": 0.5, "older": 0.3}}, clusters={BLUE: {"verify": {"sample_rate": 1, "older": 0}}}
    )
    blue, other = policy.at(cluster=BLUE).verify, policy.at().verify
    assert (blue.sample_rate, blue.older_point_rate) == (1, 0)
    assert (other.sample_rate, other.older_point_rate) == (0.5, 0.3)


def test_a_knob_that_is_said_by_both_its_names_is_refused() -> None:
    with pytest.raises(PermanentError, match=r"\$.default.verify.share: there is no such field"):
        read(default={"verify": {"share": 0.5, "sample_rate": 0.5}})


def test_knobs_survive_a_durable_history() -> None:
    knobs = read(default=trust(maintenance=[{"from": "22:00", "to": "04:00"}])).at()
    assert msgspec.convert(msgspec.to_builtins(knobs), Knobs) == knobs


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ([], "$"),
        ({"defaults": {}}, "$.defaults"),
        ({"default": 3}, "$.default"),
        ({"default": {"truth": {}}}, "$.default.truth"),
        ({"default": {"trust": None}}, "$.default.trust"),
        ({"default": trust(issuer_life="PT48H")}, "$.default.trust.issuer_life"),
        ({"default": trust(issuer_lifetime=48)}, "$.default.trust.issuer_lifetime"),
        ({"default": trust(issuer_lifetime="PT23H59M")}, "$.default.trust.issuer_lifetime"),
        ({"default": trust(root_lifetime="PT59M")}, "$.default.trust.root_lifetime"),
        ({"default": trust(settle_within="PT0S")}, "$.default.trust.settle_within"),
        ({"default": trust(retire_within="-PT1H")}, "$.default.trust.retire_within"),
        ({"default": trust(maintenance=[{"from": "1:00", "to": "02:00"}])}, "$.default.trust.maintenance[0].from"),
        ({"default": trust(maintenance=[{"from": "01:00", "to": "01:00"}])}, "$.default.trust.maintenance[0].to"),
        (
            {"default": trust(maintenance=[{"from": "01:00", "to": "02:00", "days": []}])},
            "$.default.trust.maintenance[0].days",
        ),
        ({"trust_domains": {"a.b": trust(leaf="PT1H")}}, '$.trust_domains["a.b"].trust.leaf'),
        ({"trust_domains": {"a.b": {"members": BLUE}}}, '$.trust_domains["a.b"].members'),
        ({"trust_domains": {"a.b": {"members": [BLUE, f"{BLUE}/../red"]}}}, '$.trust_domains["a.b"].members'),
        ({"trust_domains": {"a.b": {"members": [f"{BLUE}/agentPools/a"]}}}, '$.trust_domains["a.b"].members'),
        ({"trust_domains": {"a.b": {"members": [""]}}}, '$.trust_domains["a.b"].members'),
        ({"default": {"members": [BLUE]}}, "$.default.members"),
        ({"clusters": {BLUE: {"members": [BLUE]}}}, f'$.clusters["{BLUE}"].members'),
        ({"clusters": {BLUE: {"sources": [BLUE]}}}, f'$.clusters["{BLUE}"].sources'),
        ({"clusters": {BLUE: {"sources": "all"}}}, f'$.clusters["{BLUE}"].sources'),
        ({"trust_domains": {"a.b": {"sources": []}}}, '$.trust_domains["a.b"].sources'),
        ({"clusters": {"blue": {}}}, "$.clusters"),
        ({"clusters": {BLUE: {}, BLUE.lower(): {}}}, "$.clusters"),
        ({"clusters": {BLUE: trust(restarts_at_once=0)}}, f"{MANY}.restarts_at_once"),
    ],
)
def test_what_is_unknown_ill_typed_or_impossible_is_refused_with_its_path(document: Any, path: str) -> None:
    with pytest.raises(PermanentError) as refused:
        policy_of(json.dumps(document).encode())
    assert refused.value.reason == "BadPolicy"
    assert f"refused: {path}: " in refused.value.message


def test_knobs_of_a_trust_domain_reach_the_clusters_that_it_lists_and_no_others() -> None:
    policy = read(trust_domains={"shop.example": {"members": [BLUE], **trust(restarts_at_once=2)}})
    found = [policy.at("shop.example", id).trust.restarts_at_once for id in (BLUE, f"{BLUE}-2", "blue")]
    assert found == [2, 10, 10]
    assert policy.at("shop.example").trust.restarts_at_once == 2


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(PermanentError, match="isn't JSON"):
        policy_of(b'{"default": ')
