"""Azure Resource Graph: one query over all subscriptions, whatever their number of vaults."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from azure.core.credentials_async import AsyncTokenCredential
from azure.mgmt.resourcegraph import models
from azure.mgmt.resourcegraph.aio import ResourceGraphClient

from shared.adapters.azure.common import NO_RETRY, translated
from shared.adapters.azure.outlet import through
from shared.adapters.azure.scope import resource_graph
from shared.domain.errors import TemporaryError
from shared.domain.resource_id import ResourceId, name_of
from shared.domain.restores.watch import WatchedJob
from shared.domain.states import JOB
from shared.domain.times import time_in
from shared.domain.vaults.protection import Grant
from shared.domain.vaults.source import FoundItem, JobNames
from shared.domain.vaults.sources import label_in_job
from shared.settings import Settings

# Pages follow one another soundly only if rows are ordered by something unique (Resource Graph docs, paging).
_JOBS = """RecoveryServicesResources
| where type in~ ('microsoft.recoveryservices/vaults/backupjobs', 'microsoft.dataprotection/backupvaults/backupjobs')
| where {which}
| project id, operation = tostring(properties.operation), category = tostring(properties.operationCategory),
 status = tostring(properties.status), started = tostring(properties.startTime),
 ended = tostring(properties.endTime), item = tostring(properties.backupInstanceId),
 name = tostring(properties.entityFriendlyName), account = tostring(properties.storageAccountName),
 container = tostring(properties.containerName)
| order by id asc"""
_BACKUPS = "tostring(properties.operation) =~ 'Backup' or tostring(properties.operationCategory) =~ 'Backup'"
_OPEN_OR_ENDED_SINCE = (
    "tostring(properties.status) =~ 'InProgress' or tostring(properties.endTime) == ''"
    " or todatetime(properties.endTime) >= datetime({since})"
)
_ITEMS = """RecoveryServicesResources
| where type in~ ('microsoft.dataprotection/backupvaults/backupinstances',
 'microsoft.recoveryservices/vaults/backupfabrics/protectioncontainers/protecteditems')
| project id, name = tostring(properties.friendlyName), deleted = tostring(properties.isScheduledForDeferredDelete),
 instance_source = tostring(properties.dataSourceInfo.resourceID), item_source = tostring(properties.sourceResourceId),
 instance_state = tostring(properties.currentProtectionState), item_state = tostring(properties.protectionState),
 instance_policy = tostring(properties.policyInfo.policyId), item_policy = tostring(properties.policyId)
| order by id asc"""
_GRANTS = """AuthorizationResources
| where type =~ 'microsoft.authorization/roleassignments' and tostring(properties.principalId) in ({principals})
| project id, principal = tostring(properties.principalId), role = tostring(properties.roleDefinitionId),
 scope = tostring(properties.scope)
| order by id asc"""


class Inventory:
    """Resource Graph. `options` go to the SDK's client."""

    def __init__(self, settings: Settings, credential: AsyncTokenCredential, **options: Any) -> None:
        self._subscriptions = settings.subscriptions
        self._client = ResourceGraphClient(
            credential, base_url=settings.arm_url, **through(resource_graph(settings), {**NO_RETRY, **options})
        )

    async def jobs(self, since: datetime) -> list[WatchedJob]:
        """The backup jobs of all Backup and Recovery Services vaults that are open or have ended since."""
        open_or_ended = _OPEN_OR_ENDED_SINCE.format(since=since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        rows = await self._rows(_JOBS.format(which=f"{_BACKUPS}\n| where {open_or_ended}"))
        return [job for job in map(_job, rows) if job]

    async def job(self, vault: ResourceId, name: str) -> WatchedJob | None:
        """One job of a vault, None if it isn't shown (yet)."""
        which = f"id =~ '{vault.child('backupJobs', name)}'"
        return next(map(_job, await self._rows(_JOBS.format(which=which))), None)

    async def items(self) -> list[FoundItem]:
        """What all Backup and Recovery Services vaults protect."""
        return [_item(row) for row in await self._rows(_ITEMS)]

    async def grants(self, principals: Sequence[str]) -> list[Grant]:
        """The roles that these identities (object ids) hold; one that was granted a minute ago may not be shown yet."""
        query = _GRANTS.format(principals=", ".join(f"'{principal}'" for principal in principals))
        rows = await self._rows(query)
        return [Grant(principal=r["principal"], role=name_of(r["role"]), scope=r["scope"]) for r in rows]

    async def _rows(self, query: str) -> list[dict[str, str]]:
        with translated("querying Resource Graph"):
            return [row async for page in self._pages(query) for row in page]

    async def _pages(self, query: str) -> AsyncIterator[list[dict[str, str]]]:
        token = None
        while True:
            options = models.QueryRequestOptions(skip_token=token, result_format="objectArray")
            request = models.QueryRequest(subscriptions=self._subscriptions, query=query, options=options)
            page = await self._client.resources(request)
            found = msgspec.convert(page.data, list[dict[str, str | None]])
            yield [{name: value or "" for name, value in row.items()} for row in found]
            if page.skip_token and page.skip_token == token:
                raise TemporaryError("PagesRepeat", "Resource Graph goes on with the page that it has just sent")
            token = page.skip_token
            if not token:
                return


def _item(row: dict[str, str]) -> FoundItem:
    """A backup instance or a protected item, whose properties have names of their own."""
    return FoundItem(
        id=row["id"],
        source_id=row["instance_source"] or row["item_source"],
        name=row["name"],
        state=row["instance_state"] or row["item_state"],
        policy=row["instance_policy"] or row["item_policy"],
        deleted=row["deleted"].lower() == "true",
    )


def _job(row: dict[str, str]) -> WatchedJob | None:
    """A job; None while it doesn't say when it began. One that doesn't say when and how it ended counts as open."""
    started, ended = time_in(row["started"]), time_in(row["ended"])
    if started is None:
        return None
    return WatchedJob(
        id=row["id"],
        operation=row["operation"] or row["category"],
        status=row["status"],
        started=started,
        ended=ended if JOB.meaning(row["status"]) in ("good", "bad") else None,
        item=row["item"],
        volume=label_in_job(JobNames(row["name"], row["account"], row["container"])),
    )
