"""The events Meshward reacts to, decoded from the forms in which Event Grid delivers them.

Both schemas carry the same facts under different names (`topic`/`source`, `eventType`/`type`). Data of Key Vault events
has PascalCase keys, of which one was seen with a trailing blank, and numbers that may be strings: keys are read without
case and blanks (Azure Event Grid, Key Vault event schema). Resource ids are compared without case.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.domain.errors import InvalidEvent, shown
from shared.domain.resource_id import is_name, same

NEAR_EXPIRY = "Microsoft.KeyVault.CertificateNearExpiry"
RESOURCE_WRITTEN = "Microsoft.Resources.ResourceWriteSuccess"
BACKUP_COMPLETED = "Meshward.Backup.Completed"
BACKUP_FAILED = "Meshward.Backup.Failed"
BACKUP_OVERDUE = "Meshward.Backup.Overdue"
SELFTEST = "Meshward.SelfTest"
CLUSTER_WRITE = "microsoft.containerservice/managedclusters/write"


class CertificateNearExpiry(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a Key Vault certificate is about to expire (`expires` in UTC, None if the event doesn't say)."""

    vault: str
    certificate: str
    version: str
    expires: datetime | None


class ClusterWritten(msgspec.Struct, frozen=True, kw_only=True):
    """A managed cluster was created or changed; which of the two only the cluster itself can tell."""

    cluster_id: str


class BackupCompleted(msgspec.Struct, frozen=True, kw_only=True):
    """A backup job has ended; `job_id` is its resource id."""

    job_id: str
    status: str


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What both Event Grid schemas say: id, type, where from, about what, and the data as sent."""

    id: str
    type: str
    source: str
    subject: str
    data: dict[str, Any]


def envelope(id: object, type: object, source: object, subject: object, data: object) -> Envelope:
    """Check the envelope's fields; raises InvalidEvent that names every one that is missing or of a wrong type."""
    fields = {"id": id, "type": type, "source": source, "subject": subject}
    wrong = [name for name, value in fields.items() if not isinstance(value, str) or not value.strip()]
    wrong += [] if isinstance(data, dict) else ["data"]
    if wrong:
        raise InvalidEvent("MalformedEvent", f"the event's {', '.join(wrong)} is missing or of a wrong type")
    return msgspec.convert(fields | {"data": data}, Envelope)


def expect(event: Envelope, *types: str) -> None:
    """Raise InvalidEvent unless the event is of one of these types."""
    if event.type not in types:
        raise InvalidEvent("UnknownEventType", f"{shown(event.type)} isn't handled here; expected {' or '.join(types)}")


def certificate_near_expiry(event: Envelope) -> CertificateNearExpiry:
    """Decode `Microsoft.KeyVault.CertificateNearExpiry`."""
    expect(event, NEAR_EXPIRY)
    data = _loose(event.data)
    name, version = _text(data, "objectname"), _text(data, "version")
    return CertificateNearExpiry(
        vault=_text(data, "vaultname"),
        certificate=name,
        version=version,
        expires=_moment(data, "exp"),
    )


def cluster_written(event: Envelope) -> ClusterWritten | None:
    """Decode `ResourceWriteSuccess`; None for a write of anything that isn't a managed cluster itself."""
    expect(event, RESOURCE_WRITTEN)
    data = _loose(event.data)
    if not same(_text(data, "operationname"), CLUSTER_WRITE):
        return None
    return ClusterWritten(cluster_id=_text(data, "resourceuri"))


def backup_completed(event: Envelope) -> BackupCompleted:
    """Decode our own event of a backup job that has ended."""
    expect(event, BACKUP_COMPLETED)
    data = _loose(event.data)
    return BackupCompleted(job_id=_text(data, "jobid"), status=_text(data, "status"))


def selftest_sent(event: Envelope) -> str:
    """Decode our own event of a self-test: its id, which is a name."""
    expect(event, SELFTEST)
    if not is_name(event.id):
        raise InvalidEvent("MalformedEvent", f"{shown(event.id)} isn't the id of a self-test")
    return event.id


def _loose(data: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key).strip().lower(): value for key, value in data.items()}


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value.strip():
        raise InvalidEvent("MalformedEvent", f"the event's data.{key} is missing or not a text")
    return value.strip()


def _moment(data: Mapping[str, Any], key: str) -> datetime | None:
    value = data.get(key)
    if value is None:
        return None
    try:
        return datetime.fromtimestamp(int(value), UTC)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise InvalidEvent(
            "MalformedEvent", f"the event's data.{key} isn't a Unix time: {shown(repr(value))}"
        ) from error
