"""Managed disks: those of protected virtual machines, and those that restores make in the scratch group.

Scratch group and staging account are the policy document's word; neither is made nor deleted here.
"""

from collections.abc import Sequence
from functools import partial

import msgspec
from azure.mgmt.compute.models import Disk as ManagedDisk
from azure.mgmt.compute.models import VirtualMachine

from shared.adapters.azure.common import LISTED, translated, unless_absent
from shared.adapters.azure.staging import StagedRestores
from shared.domain.errors import NotConverged, NotFound, PermanentError
from shared.domain.policy import Policy
from shared.domain.resource_id import ResourceId
from shared.domain.restores.disks import (
    Disk,
    Lun,
    copied,
    covered,
    leftover_disks,
    of_disks,
    restored,
    scratch_id,
    staging_container,
)
from shared.domain.restores.items import MachineItem
from shared.domain.restores.lease import Delete
from shared.domain.restores.manifest import Contents, Manifest
from shared.domain.restores.verification import RestoreJob, RestorePlan, RestoreSource, still_open
from shared.domain.restores.workloads import IsolatedCopy


class Disks(StagedRestores):
    """Disks of machines and of their copies."""

    async def with_target(self, source: RestoreSource, policy: Policy) -> RestoreSource:
        """The source with its machine's region and the group that its disks are restored to.

        Raises PermanentError where the policy names no such group.
        """
        knobs = policy.at().verify
        if not knobs.scratch_group:
            raise PermanentError(
                "NoScratchGroup",
                "disks have no place to be restored to: the policy document names it in verify.scratch_group and "
                "verify.staging_account",
            )
        machine = await self._machine(source.item.source_id)
        return msgspec.structs.replace(
            source,
            item=msgspec.structs.replace(source.item, location=machine.location),
            target_id=scratch_id(source.item, knobs.scratch_group),
            staging=knobs.staging_account,
        )

    async def contents(self, item: MachineItem, trust_domain: str = "") -> Contents:  # noqa: ARG002  # clusters need it
        """The disks of the protected machine that its backup covers."""
        machine = await self._machine(item.source_id)
        with translated(f"reading the disks of {machine.name}"):
            disks = {lun: await self._disk(id) for lun, id in _attached(machine).items()}
        return Contents(names=(machine.name or "",), entries=of_disks(covered(disks, item.included, item.excluded)))

    async def _machine(self, source_id: str) -> VirtualMachine:
        id = ResourceId(source_id)
        with translated(f"reading machine {id.name}"):
            machine = await unless_absent(self._compute(source_id).virtual_machines.get(id.group, id.name))
        if machine is None:
            raise NotFound("MachineGone", f"{source_id} isn't there (any more)")
        return machine

    async def copy(self, plan: RestorePlan, manifest: Manifest, canaries: Sequence[str]) -> IsolatedCopy:  # noqa: ARG002  # others need them
        """The disks that the restore has made."""
        return IsolatedCopy(entries=of_disks(copied(await self._scratch(plan), await self.jobs(plan), _machine(plan))))

    async def isolate(self, plan: RestorePlan) -> dict[str, str]:
        """Make sure that the scratch group can take the disks; nothing is made.

        Raises PermanentError where staging account or group don't fit, NotConverged while disks are in the way.
        """
        await self.require_fit_account(plan, plan.target_id)
        if names := leftover_disks(await self._scratch(plan), _machine(plan)):
            raise NotConverged("ScratchBusy", f"disks of another restore are still there: {', '.join(names[:5])}")
        return {}

    async def require_isolated(self, plan: RestorePlan) -> None:
        """Nothing is made beforehand: whether disks of the same machine are in the way was looked at."""

    async def remove(self, plan: RestorePlan, delete: Delete) -> list[str]:
        """Delete the disks and the staging container that the restore made; the names of those that are still there.

        Nothing is deleted of which it isn't proven that this restore made it. While a restore runs on, nothing is: it
        makes its disks at its end, and until then it isn't known which are its own.
        """
        jobs = await self.jobs(plan)
        if running := still_open(jobs):
            return running
        staged = [await self._remove_staged(plan, container, delete) for container in map(staging_container, jobs)]
        return [*await self._remove_disks(plan, jobs, delete), *filter(None, staged)]

    async def _remove_disks(self, plan: RestorePlan, jobs: list[RestoreJob], delete: Delete) -> list[str]:
        found = restored(await self._scratch(plan), jobs, _machine(plan)) if jobs else {}
        names = [disk.name for disks in found.values() for disk in disks.values()]
        for name in names:
            with translated(f"deleting disk {name}"):
                await delete(f"disk {name}", partial(self._delete_disk, plan, name))
        return names

    async def _delete_disk(self, plan: RestorePlan, name: str) -> None:
        await self._compute(plan.target_id).disks.begin_delete(_group(plan), name, polling=False)

    async def _remove_staged(self, plan: RestorePlan, name: str, delete: Delete) -> str:
        containers = self._storage(plan.target_id).blob_containers
        with translated(f"deleting container {name}"):
            if not name or await unless_absent(containers.get(_group(plan), plan.staging, name)) is None:
                return ""
            await delete(f"container {name}", lambda: containers.delete(_group(plan), plan.staging, name))
        return name

    async def _scratch(self, plan: RestorePlan) -> list[Disk]:
        with translated(f"listing disks of {plan.target_id}"):
            listed = self._compute(plan.target_id).disks.list_by_resource_group(_group(plan), **LISTED)
            return [_described(disk) async for disk in listed]

    async def _disk(self, id: str) -> Disk:
        disk = ResourceId(id)
        return _described(await self._compute(id).disks.get(disk.group, disk.name))


def _group(plan: RestorePlan) -> str:
    return ResourceId(plan.target_id).group


def _machine(plan: RestorePlan) -> str:
    return ResourceId(plan.item.source_id).name


def _attached(machine: VirtualMachine) -> dict[Lun, str]:
    """The ids of the machine's disks by LUN."""
    profile = machine.storage_profile
    return {None: profile.os_disk.managed_disk.id} | {disk.lun: disk.managed_disk.id for disk in profile.data_disks}


def _described(disk: ManagedDisk) -> Disk:
    return Disk(name=disk.name or "", size=disk.disk_size_gb, made=disk.time_created, holder=disk.managed_by or "")
