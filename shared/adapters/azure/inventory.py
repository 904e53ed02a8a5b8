"""Azure Resource Graph: one query over all subscriptions, whatever their number of vaults."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from shared.adapters.azure.common import NO_RETRY, translated
from shared.domain.resource_id import ResourceId, name_of
from shared.domain.restores.watch import WatchedJob
from shared.domain.vaults.census import CensusInstance
from shared.domain.vaults.protection import Grant
from shared.domain.vaults.source import FoundItem, JobNames
from shared.domain.vaults.sources import label_in_job
from shared.settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

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
    "tostring(properties.status) =~ 'InProgress' or todatetime(properties.endTime) >= datetime({since})"
)
_INSTANCES = """RecoveryServicesResources
| where type =~ 'microsoft.dataprotection/backupvaults/backupinstances'
| where tostring(properties.dataSourceInfo.datasourceType) =~ 'Microsoft.ContainerService/managedClusters'
| project id, cluster = tostring(properties.dataSourceInfo.resourceID),
 state = tostring(properties.currentProtectionState), policy = tostring(properties.policyInfo.policyId)
| order by id asc"""
_ITEMS = """RecoveryServicesResources
| where type =~ 'microsoft.recoveryservices/vaults/backupfabrics/protectioncontainers/protecteditems'
| project id, source = tostring(properties.sourceResourceId), name = tostring(properties.friendlyName),
 state = tostring(properties.protectionState), policy = tostring(properties.policyId),
 deleted = tostring(properties.isScheduledForDeferredDelete)
| order by id asc"""
_GRANTS = """AuthorizationResources
| where type =~ 'microsoft.authorization/roleassignments' and tostring(properties.principalId) in ({principals})
| project id, principal = tostring(properties.principalId), role = tostring(properties.roleDefinitionId),
 scope = tostring(properties.scope)
| order by id asc"""


class Inventory:
    """Resource Graph. `options` go to the SDK's client."""

    def __init__(self, settings: Settings, credential: "AsyncTokenCredential", **options: Any) -> None:
        from azure.mgmt.resourcegraph.aio import ResourceGraphClient

        self._subscriptions = settings.subscriptions
        self._client = ResourceGraphClient(credential, base_url=settings.arm_url, **NO_RETRY, **options)

    async def jobs(self, since: datetime) -> list[WatchedJob]:
        """The backup jobs of all Backup and Recovery Services vaults that are open or have ended since."""
        open_or_ended = _OPEN_OR_ENDED_SINCE.format(since=since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        rows = await self._rows(_JOBS.format(which=f"{_BACKUPS}\n| where {open_or_ended}"))
        return [job for job in map(_job, rows) if job]

    async def job(self, vault: ResourceId, name: str) -> WatchedJob | None:
        """One job of a vault, None if it isn't shown (yet)."""
        which = f"id =~ '{vault.child('backupJobs', name)}'"
        return next(map(_job, await self._rows(_JOBS.format(which=which))), None)

    async def instances(self) -> list[CensusInstance]:
        """The backup instances of clusters in all Backup vaults."""
        rows = await self._rows(_INSTANCES)
        return [
            CensusInstance(id=r["id"], cluster_id=r["cluster"] or "", state=r["state"] or "", policy=r["policy"] or "")
            for r in rows
        ]

    async def items(self) -> list[FoundItem]:
        """What all Recovery Services vaults protect."""
        return [
            FoundItem(
                id=row["id"],
                source_id=row["source"] or "",
                name=row["name"] or "",
                state=row["state"] or "",
                policy=row["policy"] or "",
                deleted=(row["deleted"] or "").lower() == "true",
            )
            for row in await self._rows(_ITEMS)
        ]

    async def grants(self, principals: Sequence[str]) -> list[Grant]:
        """The roles that these identities (object ids) hold; one that was granted a minute ago may not be shown yet."""
        query = _GRANTS.format(principals=", ".join(f"'{principal}'" for principal in principals))
        rows = await self._rows(query)
        return [Grant(principal=r["principal"], role=name_of(r["role"]), scope=r["scope"]) for r in rows]

    async def _rows(self, query: str) -> list[dict[str, Any]]:
        from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions

        rows: list[dict[str, Any]] = []
        token = None
        while True:
            options = QueryRequestOptions(skip_token=token, result_format="objectArray")
            request = QueryRequest(subscriptions=self._subscriptions, query=query, options=options)
            with translated("querying Resource Graph"):
                page: Any = await self._client.resources(request)
            rows += page.data
            token = page.skip_token
            if not token:
                return rows

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _job(row: dict[str, Any]) -> WatchedJob | None:
    """A job; None while it doesn't say when it began. One that doesn't say when it ended hasn't, so it is open."""
    started, ended = _moment(row["started"]), _moment(row["ended"])
    status = row["status"] or ""
    if started is None:
        return None
    return WatchedJob(
        id=row["id"],
        operation=row["operation"] or row["category"] or "",
        status=status,
        started=started,
        ended=None if status.lower() == "inprogress" else ended,
        item=row["item"] or "",
        volume=label_in_job(JobNames(row["name"] or "", row["account"] or "", row["container"] or "")),
    )


def _moment(text: str | None) -> datetime | None:
    """A service's time; without a zone it means UTC. None for what is no time."""
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
