from typing import Any

import pytest

from shared.domain import events
from shared.domain.errors import InvalidEvent

CERTIFICATE = {
    "Id": "https://kv-meshward.vault.azure.net/certificates/root/0f00",
    "VaultName": "kv-meshward",
    "ObjectType": "Certificate",
    "ObjectName": "linkerd-root-prod-g0001",
    "Version": "0f00",
    "NBF": "1768464000",
    "EXP": "1802592000",
}


def near_expiry(**data: Any) -> events.Envelope:
    return events.envelope("e1", events.NEAR_EXPIRY, {**CERTIFICATE, **data})


def test_keys_are_read_without_case_and_trailing_blanks() -> None:
    odd = {"objectname ": "root", " vaultNAME": "kv"}
    decoded = events.certificate_near_expiry(events.envelope("e", events.NEAR_EXPIRY, odd))
    assert (decoded.certificate, decoded.vault) == ("root", "kv")


@pytest.mark.parametrize("key", ["ObjectName", "VaultName"])
@pytest.mark.parametrize("value", [None, 7, "", "  ", ["x"]])
def test_a_missing_or_mistyped_field_is_named(key: str, value: Any) -> None:
    with pytest.raises(InvalidEvent, match=key.lower()):
        events.certificate_near_expiry(near_expiry(**{key: value}))


def test_every_wrong_field_of_an_envelope_is_named_at_once() -> None:
    with pytest.raises(InvalidEvent, match="id, type, data"):
        events.envelope(None, "", [1])


def test_an_unknown_type_is_refused_with_the_expected_one() -> None:
    other = events.envelope("e", "Microsoft.KeyVault.KeyNearExpiry", CERTIFICATE)
    with pytest.raises(InvalidEvent, match=r"KeyNearExpiry isn't handled here; expected .*CertificateNearExpiry"):
        events.certificate_near_expiry(other)


def written(operation: str) -> events.Envelope:
    data = {"operationName": operation, "resourceUri": "/subscriptions/s/resourcegroups/g/x", "status": "Succeeded"}
    return events.envelope("e", events.RESOURCE_WRITTEN, data)


def test_a_cluster_write_is_recognised_whatever_its_case() -> None:
    decoded = events.cluster_written(written("Microsoft.ContainerService/managedClusters/WRITE"))
    assert decoded == "/subscriptions/s/resourcegroups/g/x"


@pytest.mark.parametrize(
    "operation",
    [
        "Microsoft.ContainerService/managedClusters/agentPools/write",
        "Microsoft.ContainerService/managedClusters/trustedAccessRoleBindings/write",
        "Microsoft.Storage/storageAccounts/write",
    ],
)
def test_writes_of_other_resources_are_not_for_us(operation: str) -> None:
    assert events.cluster_written(written(operation)) is None


def test_a_completed_backup_names_its_job_and_status() -> None:
    data = {"jobId": "/subscriptions/s/jobs/j", "status": "Completed"}
    decoded = events.backup_completed(events.envelope("j:Completed", events.BACKUP_COMPLETED, data))
    assert (decoded.job_id, decoded.status) == ("/subscriptions/s/jobs/j", "Completed")


@pytest.mark.parametrize("id", ["../policy.json", "a/b", "a//b", "a\0b", "..", "x" * 300, "\ud800"])
def test_an_event_of_a_self_test_has_a_name_for_an_id(id: str) -> None:
    assert events.selftest_sent(events.envelope("selftest-1", events.SELFTEST, {})) == "selftest-1"
    with pytest.raises(InvalidEvent, match="MalformedEvent"):
        events.selftest_sent(events.envelope(id, events.SELFTEST, {}))


def test_another_event_is_none_of_a_self_test() -> None:
    with pytest.raises(InvalidEvent, match="UnknownEventType"):
        events.selftest_sent(events.envelope("selftest-1", events.BACKUP_COMPLETED, {}))
