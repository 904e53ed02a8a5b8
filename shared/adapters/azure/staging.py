"""Staging groups and their storage accounts, which restores pass through: what is in them, and how it is removed.

Neither group nor account is made or deleted here: the policy document names them.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Literal, NamedTuple, Protocol

from azure.core.credentials_async import AsyncTokenCredential
from azure.mgmt.compute import models
from azure.mgmt.compute.aio import ComputeManagementClient
from azure.mgmt.storage.aio import StorageManagementClient

from shared.adapters.azure.common import LISTED, Management, plain, translated, unless_absent
from shared.adapters.azure.ledger import Ledger
from shared.domain.errors import PermanentError
from shared.domain.resource_id import ResourceId
from shared.domain.restores.lease import Delete, lease_path
from shared.domain.restores.sending import DAY, own_jobs, possible_jobs, sends_folder, sends_of
from shared.domain.restores.staging import BEFORE, TURN, Staged, before_path, staged_by, turn_path
from shared.domain.restores.verification import RestoreJob, RestorePlan
from shared.settings import Settings


class RestoreJobs(Protocol):
    """What lists an item's restore jobs."""

    async def restores(self, item: Any, since: datetime) -> list[RestoreJob]: ...


class SortedJobs(NamedTuple):
    """Restore jobs of an item, as they concern a verification."""

    own: list[RestoreJob]  # proven to be the verification's
    possible: list[RestoreJob]  # may be
    others: list[RestoreJob]  # not proven to be


class StagedRestores(Management):
    """Restores that pass through a staging account. `restores` and `ledger` say which jobs are a verification's."""

    def __init__(
        self,
        settings: Settings,
        credential: AsyncTokenCredential,
        restores: RestoreJobs,
        ledger: Ledger,
        **options: Any,
    ) -> None:
        super().__init__(settings, credential, **options)
        self._restores, self._ledger = restores, ledger

    async def jobs(self, plan: RestorePlan) -> list[RestoreJob]:
        """The restore jobs of a verification: none if it has sent nothing, or nothing became of it yet."""
        return (await self.sorted_jobs(plan)).own

    async def sorted_jobs(self, plan: RestorePlan) -> SortedJobs:
        """The item's restore jobs since the verification has sent its own: by whether they are proven to be its."""
        sends = sends_of(plan.name, await self._ledger.list(sends_folder(plan.name)))
        if not sends:
            return SortedJobs([], [], [])
        jobs = await self._restores.restores(plan.item, sends[0] - DAY)
        own = own_jobs(jobs, plan, sends)
        return SortedJobs(own, possible_jobs(jobs, plan, sends), [job for job in jobs if job not in own])

    async def require_fit_account(self, plan: RestorePlan, group: str) -> None:
        """Raise PermanentError unless the staging account is in this group (resource id) and fit for restores."""
        name, accounts = plan.staging, self._storage(group).storage_accounts
        with translated(f"reading staging account {name}"):
            account = await unless_absent(accounts.get_properties(ResourceId(group).group, name))
        if account is None:
            message = f"there is no storage account {name} in {group}: correct verify.staging_account"
            raise PermanentError("NoStagingAccount", message)
        if str(account.location).lower() != plan.item.location.lower():
            raise PermanentError(
                "StagingElsewhere", f"{name} isn't in {plan.item.location}, where the {plan.item.kind} is"
            )
        if "ZRS" in plain(account.sku and account.sku.name):
            raise PermanentError("StagingZoneRedundant", f"{name} is zone-redundant: Azure Backup needs another one")

    def _compute(self, resource_id: str) -> ComputeManagementClient:
        return self.client(ComputeManagementClient, ResourceId(resource_id).subscription)

    def _storage(self, resource_id: str) -> StorageManagementClient:
        return self.client(StorageManagementClient, ResourceId(resource_id).subscription)


class Staging(StagedRestores):
    """What restores of clusters from the vault tier stage."""

    async def found(self, plan: RestorePlan) -> list[Staged]:
        """All disks and snapshots in the group, and all containers in its account.

        Raises PermanentError where the account isn't fit for restores.
        """
        await self.require_fit_account(plan, plan.staging_group)
        with translated(f"listing what is in {plan.staging_group}"):
            return [each async for each in self._listed(plan)]

    async def remove(
        self, plan: RestorePlan, jobs: Sequence[RestoreJob], others: Sequence[RestoreJob], delete: Delete
    ) -> list[str]:
        """Delete what these restore jobs of the plan have staged; the names of what is still there.

        Nothing is deleted of which it isn't proven that they made it, or which a machine holds: what was made while one
        of the `others` ran, too, may be theirs. Only who has its turn at the group, and has written down what was there
        before, removes anything.
        """
        if not (plan.staging_group and jobs):
            return []
        turn = await self._ledger.find(TURN, turn_path(plan))
        before = await self._ledger.find(BEFORE, before_path(plan))
        if before is None or turn is None or turn.lease != lease_path(plan):
            return []
        staged = staged_by(await self.found(plan), before, jobs)
        for each in (each for each in staged if not (each.held or staged_by([each], before, others))):
            with translated(f"deleting {each}"):
                await delete(str(each), partial(self._delete, plan, each))
        return [str(each) for each in staged]

    async def _listed(self, plan: RestorePlan) -> AsyncIterator[Staged]:
        group, compute = ResourceId(plan.staging_group).group, self._compute(plan.staging_group)
        async for disk in compute.disks.list_by_resource_group(group, **LISTED):
            yield _described("disk", disk)
        async for snapshot in compute.snapshots.list_by_resource_group(group, **LISTED):
            yield _described("snapshot", snapshot)
        async for container in self._storage(plan.staging_group).blob_containers.list(group, plan.staging, **LISTED):
            yield Staged(kind="container", name=container.name or "", made=container.last_modified_time)

    async def _delete(self, plan: RestorePlan, staged: Staged) -> None:
        group, compute = ResourceId(plan.staging_group).group, self._compute(plan.staging_group)
        if staged.kind == "container":
            await self._storage(plan.staging_group).blob_containers.delete(group, plan.staging, staged.name)
        elif staged.kind == "disk":
            await compute.disks.begin_delete(group, staged.name, polling=False)
        else:
            await compute.snapshots.begin_delete(group, staged.name, polling=False)


def _described(kind: Literal["disk", "snapshot"], found: models.Disk | models.Snapshot) -> Staged:
    return Staged(kind=kind, name=found.name or "", made=found.time_created, held=bool(found.managed_by))
