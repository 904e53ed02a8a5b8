"""The disks of a protected virtual machine, and those that a restore made of its copy.

Rules:
- Compared are LUNs, sizes and which disk is the system's. SKU, image and tags may differ: Azure Backup doesn't promise
  them.
- Azure Backup calls a restored disk after the machine (its letters and digits), kind, LUN and moment, as in
  `vmorders-datadisk-001-20270115-093000`; the staging container, which the job names, begins with the same stem.
- A restored disk is ours if it is free, called so, and was made while our restore job ran. Where disks of more moments
  fit than we have jobs, they can't be told apart, and none is touched.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from shared.domain.errors import PermanentError
from shared.domain.resource_id import ResourceId, group_scope
from shared.domain.restores.items import Item
from shared.domain.restores.manifest import ManifestEntry
from shared.domain.restores.sending import ran_during
from shared.domain.restores.verification import RestoreJob

_COMPUTER_NAME = 15  # Windows' longest: what is cut there is missing in the names of disks, too
_CASELESS = re.ASCII | re.IGNORECASE
_RESTORED = re.compile(r"(?P<stem>[a-z0-9]+)-(osdisk|datadisk-(?P<lun>\d{3}))-(?P<at>\d{8}-\d{6})", _CASELESS)
_STAGED = re.compile(r"(?P<stem>[a-z0-9]+)-[0-9a-f]{32}", _CASELESS)

type Lun = int | None  # None is the system's disk


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """A managed disk."""

    name: str
    size: int  # GiB
    made: datetime
    holder: str = ""  # resource id of the machine that has it attached


def scratch_id(item: Item, group: str) -> str:
    """The resource id of the scratch group, in the item's subscription."""
    return str(group_scope(ResourceId(item.source_id).subscription, group))


def covered(disks: Mapping[Lun, Disk], included: tuple[str, ...], excluded: tuple[str, ...]) -> dict[Lun, Disk]:
    """The disks that a backup covers: the system's, and of the others those whose LUNs it includes (all, if none)."""
    return {
        lun: disk
        for lun, disk in disks.items()
        if lun is None or ((not included or str(lun) in included) and str(lun) not in excluded)
    }


def of_disks(disks: Mapping[Lun, Disk]) -> dict[str, ManifestEntry]:
    """Entries of disks by LUN."""
    return {
        "system disk" if lun is None else f"data disk {lun}": ManifestEntry(size=disk.size, made=disk.made)
        for lun, disk in disks.items()
    }


def restored(disks: Iterable[Disk], jobs: Sequence[RestoreJob], machine: str) -> dict[str, dict[Lun, Disk]]:
    """The disks of the scratch group that these restore jobs of a machine (by name) have made, by their moments.

    Raises PermanentError if another restore's disks can't be told from them.
    """
    found: dict[str, dict[Lun, Disk]] = {}
    for disk in disks:
        name = _RESTORED.fullmatch(disk.name)
        if name and any(_made_by(job, disk, name, machine) for job in jobs):
            found.setdefault(name["at"], {})[int(name["lun"]) if name["lun"] else None] = disk
    if len(found) > len(jobs):
        raise PermanentError("ScratchShared", f"disks of {', '.join(sorted(found))} can't be told apart: {machine}")
    return found


def copied(disks: Sequence[Disk], jobs: Sequence[RestoreJob], machine: str) -> dict[Lun, Disk]:
    """The restored disks by LUN; raises PermanentError if none has a known name, though some were made meanwhile."""
    found = restored(disks, jobs, machine)
    unrecognised = [d.name for d in disks if not d.holder and any(ran_during(job, d.made) for job in jobs)]
    if unrecognised and not found:
        raise PermanentError(
            "DisksNotRecognised",
            f"none of these has a name that Azure Backup uses for {machine}: {', '.join(unrecognised[:5])}",
        )
    return next(iter(found.values()), {})


def stems(job: RestoreJob | None, machine: str) -> set[str]:
    """What the names of a machine's restored disks may begin with; if the job says it, that alone counts."""
    staged = _STAGED.fullmatch(job.staging) if job else None
    return {staged["stem"].lower()} if staged else {_letters(machine), _letters(machine[:_COMPUTER_NAME])}


def leftover_disks(disks: Iterable[Disk], machine: str) -> list[str]:
    """The names of disks that an earlier restore of the machine has left: a new restore's would look the same."""
    found = ((_RESTORED.fullmatch(disk.name), disk.name) for disk in disks)
    return [name for match, name in found if match and match["stem"].lower() in stems(None, machine)]


def staging_container(job: RestoreJob) -> str:
    """The container that the restore made in the staging account, as its job names it; empty if it names none."""
    return job.staging if _STAGED.fullmatch(job.staging) else ""


def is_named_by_machine_restore(name: str) -> bool:
    """Whether a disk or a container is named as restores of machines name them."""
    return bool(_RESTORED.fullmatch(name) or _STAGED.fullmatch(name))


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _made_by(job: RestoreJob, disk: Disk, name: re.Match[str], machine: str) -> bool:
    try:
        named_at = datetime.strptime(name["at"], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return False
    called = name["stem"].lower() in stems(job, machine)
    return called and not disk.holder and all(ran_during(job, moment) for moment in (named_at, disk.made))
