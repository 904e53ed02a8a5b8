"""The event subscriptions let through what the app reacts to, in every form it was seen in, and nothing else."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from local.cloud.event_grid.delivery import Subscription, as_cloud_event
from local.cloud.key_vault.events import event
from local.stage import INFRA

TABLE = {each["function"]: each for each in json.loads((INFRA / "subscriptions.json").read_text())["subscriptions"]}
WRITE = "Microsoft.ContainerService/managedClusters/write"
VALID = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


def wants(function: str, sent: dict[str, Any]) -> bool:
    """Whether the trigger gets the event, the same in either schema."""
    each = TABLE[function]
    subscription = Subscription(
        name=function, topic="t", endpoint="", included_types=each["types"], advanced_filters=each["filters"]
    )
    answers = {subscription.matches(sent), subscription.matches(as_cloud_event(sent))}
    assert len(answers) == 1
    return answers.pop()


def of_key_vault(kind: str, *, odd: bool = False) -> dict[str, Any]:
    return event(kind, vault="kv", vault_id="/kv", name="root", version="1", validity=VALID, now=0.0, odd=odd)


def of_subscription(operation: str | None, kind: str = "ResourceWriteSuccess") -> dict[str, Any]:
    data = {"resourceUri": "/subscriptions/s"} | ({"operationName": operation} if operation else {})
    return {
        "id": "1",
        "topic": "/subscriptions/s",
        "subject": "/subscriptions/s",
        "eventType": f"Microsoft.Resources.{kind}",
        "eventTime": "2026-11-23T08:00:00Z",
        "data": data,
        "dataVersion": "2",
    }


@pytest.mark.parametrize("odd", [False, True], ids=["plain", "quoted times, a blank in a key"])
def test_near_expiry_of_a_certificate_is_delivered(odd: bool) -> None:
    assert wants("on_certificate_event", of_key_vault("CertificateNearExpiry", odd=odd))


@pytest.mark.parametrize("kind", ["CertificateNewVersionCreated", "CertificateExpired", "KeyNearExpiry"])
def test_a_rotation_does_not_wake_itself(kind: str) -> None:
    assert not wants("on_certificate_event", of_key_vault(kind))


@pytest.mark.parametrize("operation", [WRITE, WRITE.lower(), WRITE.upper()])
def test_a_write_of_a_cluster_is_delivered_in_any_case(operation: str) -> None:
    assert wants("on_cluster_event", of_subscription(operation))


@pytest.mark.parametrize(
    "operation",
    [
        None,
        "Microsoft.ContainerService/managedClusters/agentPools/write",
        "Microsoft.ContainerService/managedClusters/trustedAccessRoleBindings/write",
        "Microsoft.KubernetesConfiguration/extensions/write",
    ],
)
def test_writes_of_anything_else_and_our_own_are_not(operation: str | None) -> None:
    assert not wants("on_cluster_event", of_subscription(operation))


def test_a_deletion_is_not_delivered() -> None:
    assert not wants("on_cluster_event", of_subscription(WRITE, "ResourceDeleteSuccess"))


def test_no_other_trigger_gets_the_events_of_ours() -> None:
    for function, each in TABLE.items():
        (kind,) = each["types"]
        sent = {**of_subscription(WRITE), "eventType": kind}
        assert [other for other in TABLE if wants(other, sent)] == [function]
