"""The kinds of items: what each says of its verification, and that stored documents of each are read."""

import json
from typing import Any

import pytest

from shared.domain.restores.history import HISTORY
from shared.domain.restores.items import ClusterItem, Item, MachineItem, RecoveryPoint, ShareItem, kind_managed_as
from shared.domain.restores.lease import LEASE
from tests.worlds.times import NOW

GROUP = "/subscriptions/11111111-1111-4111-8111-abcdefabcdef/resourceGroups/rg-scratch"
CLUSTER = ClusterItem(id="/i", source_id="/c", location="westeurope", included=("shop",))
SHARE = ShareItem(id="/i", source_id="/a", share="orders")
MACHINE = MachineItem(id="/i", source_id="/m", location="westeurope", excluded=("1",))
RELEASED = {  # as 0.1.0 has written what was restored: one struct for all kinds
    "location": "",
    "share": "",
    "policy": "",
    "included": [],
    "excluded": [],
}


def lease(item: dict[str, Any], **facts: Any) -> bytes:
    """The plan of a verification as 0.1.0 has written it."""
    point = {"id": "p", "time": "2026-11-30T08:00:00Z", "complete": True, "threat": False, "vaulted": False}
    times = dict.fromkeys(("taken", "planned"), "2026-11-30T08:00:00Z")
    plan = {"name": "n", "job_id": "/j", "trust_domain": "d", "staging": "st1", "staging_group": "", "manifest": "m"}
    more = {"flagged": [], "rpo_s": 60.0, "validates": True}
    return json.dumps({**plan, **times, **more, "item": RELEASED | item, "point": point, **facts}).encode()


@pytest.mark.parametrize(
    ("said", "isolated", "item", "target"),
    [
        (
            {"kind": "cluster", "id": "/i", "source_id": "/c", "location": "westeurope", "included": ["shop"]},
            {"shop": "verify-shop-1"},
            CLUSTER,
            GROUP,
        ),
        (
            {"kind": "share", "id": "/i", "source_id": "/a", "share": "orders"},
            {"orders": "verify-orders-1"},
            SHARE,
            "verify-orders-1",
        ),
        (
            {"kind": "machine", "id": "/i", "source_id": "/m", "location": "westeurope", "excluded": ["1"]},
            {"vm": "verify-vm-1"},
            MACHINE,
            "rg-scratch",
        ),
    ],
)
def test_a_lease_of_the_release_before_is_read(
    said: dict[str, Any], isolated: dict[str, str], item: Item, target: str
) -> None:
    plan = LEASE.decoded("leases/x", lease(said, places=isolated, target_id=GROUP))
    assert (plan.item, plan.item.kind, plan.target) == (item, said["kind"], target)
    assert LEASE.decoded("leases/x", LEASE.encoded(plan)) == plan


@pytest.mark.parametrize("kind", ["cluster", "share", "machine"])
def test_a_history_of_the_release_before_is_read(kind: str) -> None:
    found = {"item_id": "/i", "source_id": "/a", "kind": kind, "trust_domain": "", "trials": []}
    assert HISTORY.decoded("trials/x", json.dumps(found).encode()).kind == kind


def test_restores_of_disks_and_from_the_vault_tier_are_staged() -> None:
    near = RecoveryPoint(id="p", time=NOW, complete=True)
    far = RecoveryPoint(id="p", time=NOW, complete=True, vaulted=True)
    asked = [(item.is_staged(near), item.is_staged(far)) for item in (CLUSTER, SHARE, MACHINE)]
    assert asked == [(False, True), (False, False), (True, True)]


def test_a_canary_counts_where_a_copy_of_that_kind_can_hold_it() -> None:
    listed = ("ConfigMap shop/heartbeat", "ConfigMap orders/heartbeat", "2026/heartbeat.txt")
    found = [item.canaries(listed, ["shop"]) for item in (CLUSTER, SHARE, MACHINE)]
    assert found == [["ConfigMap shop/heartbeat"], ["2026/heartbeat.txt"], []]


def test_of_a_cluster_alone_a_part_is_restored() -> None:
    entries = ("ConfigMap shop/settings", "ConfigMap shop-2/settings")
    assert [[item.covers(entry, ["shop"]) for entry in entries] for item in (CLUSTER, SHARE, MACHINE)] == [
        [True, False],
        [True, True],
        [True, True],
    ]


@pytest.mark.parametrize(("management", "kind"), [("azureiaasvm", "machine"), ("AzureStorage", "share"), ("", "share")])
def test_a_job_says_its_kind_by_its_management(management: str, kind: str) -> None:
    assert kind_managed_as(management) == kind
