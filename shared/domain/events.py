"""The events Meshward reacts to, decoded from the forms in which Event Grid delivers them.

Both schemas carry the same facts, some under different names (`eventType`, `type`). Data of Key Vault events has
PascalCase keys, of which one was seen with a trailing blank: keys are read without case and blanks (Azure Event Grid,
Key Vault event schema). An event says where to look; what is there is read from Azure itself.
"""

from collections.abc import Mapping

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
    """A Key Vault certificate is about to expire."""

    vault: str
    certificate: str


class BackupCompleted(msgspec.Struct, frozen=True, kw_only=True):
    """A backup job has ended; `job_id` is its resource id."""

    job_id: str
    status: str


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What both Event Grid schemas say: id, type, and the data as sent."""

    id: str
    type: str
    data: dict[str, object]


def envelope(id: object, type: object, data: object) -> Envelope:
    """Check the envelope's fields; raises InvalidEvent that names every one that is missing or of a wrong type."""
    fields = {"id": id, "type": type}
    wrong = [name for name, value in fields.items() if not isinstance(value, str) or not value.strip()]
    wrong += [] if isinstance(data, dict) else ["data"]
    if wrong:
        raise InvalidEvent("MalformedEvent", f"the event's {', '.join(wrong)} is missing or of a wrong type")
    return msgspec.convert(fields | {"data": data}, Envelope)


def require_type(event: Envelope, *types: str) -> None:
    """Raise InvalidEvent unless the event is of one of these types."""
    if event.type not in types:
        raise InvalidEvent("UnknownEventType", f"{shown(event.type)} isn't handled here; expected {' or '.join(types)}")


def certificate_near_expiry(event: Envelope) -> CertificateNearExpiry:
    """Decode `Microsoft.KeyVault.CertificateNearExpiry`."""
    require_type(event, NEAR_EXPIRY)
    data = _with_plain_keys(event.data)
    return CertificateNearExpiry(vault=_text(data, "vaultname"), certificate=_text(data, "objectname"))


def cluster_written(event: Envelope) -> str | None:
    """Decode `ResourceWriteSuccess`: the id of the managed cluster that was written, None for anything else."""
    require_type(event, RESOURCE_WRITTEN)
    data = _with_plain_keys(event.data)
    if not same(_text(data, "operationname"), CLUSTER_WRITE):
        return None
    return _text(data, "resourceuri")


def backup_completed(event: Envelope) -> BackupCompleted:
    """Decode our own event of a backup job that has ended."""
    require_type(event, BACKUP_COMPLETED)
    data = _with_plain_keys(event.data)
    return BackupCompleted(job_id=_text(data, "jobid"), status=_text(data, "status"))


def selftest_sent(event: Envelope) -> str:
    """Decode our own event of a self-test: its id, which is a name."""
    require_type(event, SELFTEST)
    if not is_name(event.id):
        raise InvalidEvent("MalformedEvent", f"{shown(event.id)} isn't the id of a self-test")
    return event.id


def _with_plain_keys(data: Mapping[str, object]) -> dict[str, object]:
    return {str(key).strip().lower(): value for key, value in data.items()}


def _text(data: Mapping[str, object], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value.strip():
        raise InvalidEvent("MalformedEvent", f"the event's data.{key} is missing or not a text")
    return value.strip()
