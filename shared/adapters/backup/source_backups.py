"""What a protection asks of each kind of data source, and what those in a Recovery Services vault have in common.

`shared/wiring/provisioner.py` has the row of each kind.

The SDK's argument order differs between its operations: everything is passed by keyword. Of an operation only the id
is kept.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Protocol

from azure.mgmt.recoveryservicesbackup import models
from azure.mgmt.recoveryservicesbackup.aio import RecoveryServicesBackupClient

from shared.adapters.azure.common import AnswerSeen, Management, translated
from shared.domain.resource_id import ResourceId
from shared.domain.restores.verification import vault_of
from shared.domain.vaults.policy import ProtectPolicy
from shared.domain.vaults.protection import Protection
from shared.domain.vaults.source import FoundItem, Source, SourceOwner

FABRIC = "Azure"
START: Any = "2024-01-01T02:00:00Z"  # written as the service writes it


class SourceBackups(Protocol):
    """Backups of one kind of data source."""

    async def owner(self, source: Source) -> SourceOwner | None:
        """The storage account of the source, or the machine itself; None if it isn't there."""

    async def holder(self, protection: Protection, source: Source) -> str | None:
        """The vault (resource id) that protects the source, or holds its account; empty if none does.

        None if its account is there, and the source isn't.
        """

    async def protect(self, protection: Protection, source: Source, item: FoundItem | None) -> str:
        """Ask for the source's protection, or for the policy that its `item` should go by; the operation."""

    def policy(self, terms: ProtectPolicy) -> object:
        """The policy for this kind, in the words of its vault's SDK."""


class RecoveryServicesBackups(Management):
    """Backups of one kind of data source in Recovery Services vaults."""

    async def _vault_of(self, protection: Protection, source: Source, type: str, name: str | None = None) -> str:
        """The vault (resource id) that protects the source, or holds its account; empty if none does."""
        asked = models.BackupStatusRequest(resource_type=type, resource_id=source.source_id, po_logical_name=name)
        with translated(f"asking which vault holds {source.label}"):
            statuses = self._client(protection).backup_status
            found = await statuses.get(azure_region=protection.location, parameters=asked)
            return found.vault_id or ""

    async def _put(
        self, protection: Protection, source: Source, names: dict[str, str], item: models.ProtectedItem
    ) -> str:
        """Write the protected item with these names; the operation."""
        sent = AnswerSeen()
        with translated(f"protecting {source.label}"):
            await self._client(protection).protected_items.begin_create_or_update(
                **names,
                parameters=models.ProtectedItemResource(properties=item),
                polling=False,
                raw_response_hook=sent,
            )
            return sent.outstanding

    def _client(self, protection: Protection) -> RecoveryServicesBackupClient:
        return self.client(RecoveryServicesBackupClient, protection.subscription)


class TaggedResource(Protocol):
    """A resource as an SDK models it."""

    @property
    def location(self) -> str: ...

    @property
    def tags(self) -> Mapping[str, str] | None: ...


def owner_of(found: TaggedResource) -> SourceOwner:
    """The account or machine as it was found."""
    return SourceOwner(region=found.location, tags=dict(found.tags or {}))


def vault_keywords(protection: Protection) -> dict[str, str]:
    """The cluster's Recovery Services vault, as the SDK's operations want it named."""
    return vault_names(protection.recovery_services_vault_id)


def vault_names(id: str) -> dict[str, str]:
    """The vault of this or of what is in it (resource id), as the SDK's operations want it named."""
    vault = vault_of(ResourceId(id))
    return {"resource_group_name": vault.group, "vault_name": vault.name}


def item_names(id: str) -> dict[str, str]:
    """A protected or protectable item (resource id) and all that it is in, as the SDK's operations want them named."""
    item = ResourceId(id)
    names = {"container_name": item.parent.name, "protected_item_name": item.name}
    return {**vault_names(id), "fabric_name": FABRIC, **names}


def every_few_hours(hours: int) -> models.HourlySchedule:
    """In a window that ends when the next day's begins."""
    return models.HourlySchedule(interval=hours, schedule_window_start_time=START, schedule_window_duration=24 - hours)


def hours_between(terms: ProtectPolicy) -> int:
    """How many hours lie between two backups."""
    return terms.backup_every // timedelta(hours=1)


def retention(terms: ProtectPolicy) -> models.LongTermRetentionPolicy:
    """How long backups are kept."""
    daily = models.DailyRetentionSchedule(
        retention_times=[START],
        retention_duration=models.RetentionDuration(count=terms.keep.days, duration_type="Days"),
    )
    return models.LongTermRetentionPolicy(daily_schedule=daily)
