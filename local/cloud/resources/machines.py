"""Virtual machines and their managed disks (Microsoft.Compute), as far as backups and restores look at them.

Rules (Compute REST docs; neither a specification nor recorded traffic was at hand):
- Snapshots look like unattached disks.
- A machine names its disks, one for the system and the others by LUN; the sizes stand on the disks.
- A disk that is attached to a machine says so and can't be deleted.
- Deleting a disk is accepted and takes a moment. Disks are limited (in Azure by subscription and region).
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from local.cloud.arm import REGION, Arm, Operation, OperationFailed, Resource, error, iso
from local.cloud.resources.resource_groups import ResourceGroups
from local.cloud.wire import CloudRequest, Reply, Route

DELETE_SECONDS = 20.0
MACHINES = "Microsoft.Compute/virtualMachines"
DISKS = "Microsoft.Compute/disks"
SNAPSHOTS = "Microsoft.Compute/snapshots"
_TYPES = (MACHINES, DISKS, SNAPSHOTS)
GROUP = "rg-machines"
_SUBSCRIPTION = "/subscriptions/{subscription}"
_IN_GROUP = f"{_SUBSCRIPTION}/resourceGroups/{{group}}/providers"
_POLL = f"{_SUBSCRIPTION}/providers/Microsoft.Compute/locations/{{location}}/DiskOperations/{{operation}}"
_API = "2025-01-02"


@dataclass(frozen=True, kw_only=True)
class MachineDisk:
    """A disk of a machine: its LUN, None for the system's; size in GiB."""

    lun: int | None
    size: int
    sku: str = "Premium_LRS"
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def system(self) -> bool:
        return self.lun is None


SYSTEM_AND_DATA = (
    MachineDisk(lun=None, size=30),
    MachineDisk(lun=0, size=128),
    MachineDisk(lun=1, size=64, sku="StandardSSD_LRS"),
)


class MachineService:
    """A machine that doesn't exist raises KeyError. `quota` is how many disks a group may hold."""

    def __init__(self, arm: Arm, groups: ResourceGroups) -> None:
        self._arm, self._groups = arm, groups
        self.quota = 50_000
        routes = [
            *(
                Route("GET", f"{at}/{kind}", arm.list_of(kind))
                for at in (_IN_GROUP, f"{_SUBSCRIPTION}/providers")
                for kind in _TYPES
            ),
            *(Route("GET", f"{_IN_GROUP}/{kind}/{{name}}", arm.get) for kind in _TYPES),
            *(Route("DELETE", f"{_IN_GROUP}/{kind}/{{name}}", self._delete) for kind in (DISKS, SNAPSHOTS)),
            Route("GET", _POLL, self._poll),
        ]
        arm.wire.mount(routes, guard=arm.guard)

    def add(
        self,
        name: str,
        disks: Iterable[MachineDisk] = SYSTEM_AND_DATA,
        *,
        group: str = GROUP,
        location: str = REGION,
        tags: dict[str, str] | None = None,
    ) -> Resource:
        """Make a Linux machine with these disks exist; one that exists is left as it is."""
        at = f"{self._groups.add(group)['id']}/providers"
        id = f"{at}/{MACHINES}/{name}"
        if found := self._arm.find(id):
            return found
        attached = [(disk, self._attached(at, name, location, disk)["id"]) for disk in disks]
        return self._arm.store(_machine(id, location, tags or {}, attached, iso(self._arm.clock.time())))

    def find(self, name: str) -> Resource:
        """The machine of this name."""
        for machine in self._arm.of_type(MACHINES):
            if machine["name"] == name:
                return machine
        raise KeyError(name)

    def disks(self, machine: Resource) -> list[MachineDisk]:
        """The disks that are attached now, the system's disk first."""
        profile = machine["properties"]["storageProfile"]
        named = [profile["osDisk"], *profile["dataDisks"]]
        found = [(disk.get("lun"), self._arm.find(disk["managedDisk"]["id"])) for disk in named]
        return [_described(row, lun) for lun, row in found if row]

    def in_group(self, group: str) -> list[Resource]:
        """The disks of a group, by its resource id."""
        return list(self._arm.of_type(DISKS, f"{group}/"))

    def make_disk(self, group: str, name: str, disk: MachineDisk, *, location: str, holder: str = "") -> Resource:
        """A disk made in a group (resource id), attached to a machine if `holder` names one.

        Raises OperationFailed if the group is full.
        """
        if len(self.in_group(group)) >= self.quota:
            raise OperationFailed("UserErrorDiskQuotaExceeded", "The quota of managed disks is exceeded.")
        id = f"{group}/providers/{DISKS}/{name}"
        return self._arm.store(_disk(id, disk, location, holder, iso(self._arm.clock.time())))

    def make_snapshot(self, group: str, name: str, disk: MachineDisk, *, location: str) -> Resource:
        """A snapshot as large as a disk, in a group (resource id)."""
        id = f"{group}/providers/{SNAPSHOTS}/{name}"
        return self._arm.store(_disk(id, disk, location, "", iso(self._arm.clock.time())) | {"type": SNAPSHOTS})

    def _attached(self, at: str, name: str, location: str, disk: MachineDisk) -> Resource:
        kind = "OsDisk" if disk.system else f"DataDisk_{disk.lun}"
        group = at.removesuffix("/providers")
        named = f"{name}_{kind}_{uuid.uuid4().hex}"
        return self.make_disk(group, named, disk, location=location, holder=f"{at}/{MACHINES}/{name}")

    def _delete(self, call: CloudRequest) -> Reply:
        disk = self._arm.find(call.path)
        if disk is None:
            return Reply(status=204)
        if holder := disk.get("managedBy"):
            name = holder.rpartition("/")[2]
            return error(409, "OperationNotAllowed", f"Disk {disk['name']} is attached to VM {name}.")
        operation = self._arm.begin(DELETE_SECONDS, lambda _: self._arm.remove(call.path))
        return self._pending(call, operation, disk["location"])

    def _poll(self, call: CloudRequest) -> Reply:
        operation = self._arm.operations.get(call.params["operation"])
        if operation is None:
            return error(404, "NotFound", "The operation was not found.")
        if call.query.get("monitor") == "true":
            return self._pending(call, operation, call.params["location"]) if operation.open else Reply()
        times = {"startTime": iso(operation.started)} | ({} if operation.open else {"endTime": iso(operation.ends)})
        return Reply(body={"name": operation.id, "status": operation.status, **times})

    def _pending(self, call: CloudRequest, operation: Operation, location: str) -> Reply:
        provider = f"/subscriptions/{call.params['subscription']}/providers/Microsoft.Compute"
        link = self._arm.link(f"{provider}/locations/{location}/DiskOperations/{operation.id}", _API)
        headers = {"Azure-AsyncOperation": link, "Location": f"{link}&monitor=true", "Retry-After": "15"}
        return Reply(status=202, headers=headers)


def _described(row: Resource, lun: int | None) -> MachineDisk:
    return MachineDisk(lun=lun, size=row["properties"]["diskSizeGB"], sku=row["sku"]["name"], tags=row["tags"])


def _disk(id: str, disk: MachineDisk, location: str, holder: str, now: str) -> Resource:
    of_system = {"osType": "Linux", "hyperVGeneration": "V2"} if disk.system else {}
    return {
        "name": id.rpartition("/")[2],
        "id": id,
        "type": DISKS,
        "location": location,
        "tags": disk.tags,
        **({"managedBy": holder} if holder else {}),
        "sku": {"name": disk.sku, "tier": disk.sku.split("_")[0]},
        "properties": {
            **of_system,
            "creationData": {"createOption": "Empty" if holder else "Restore"},
            "diskSizeGB": disk.size,
            "diskSizeBytes": disk.size * 2**30,
            "timeCreated": now,
            "provisioningState": "Succeeded",
            "diskState": "Attached" if holder else "Unattached",
            "encryption": {"type": "EncryptionAtRestWithPlatformKey"},
            "uniqueId": str(uuid.uuid4()),
        },
    }


def _machine(
    id: str, location: str, tags: dict[str, str], attached: list[tuple[MachineDisk, str]], now: str
) -> Resource:
    name = id.rpartition("/")[2]
    data = [{"lun": disk.lun, **_reference(at, "Attach")} for disk, at in attached if not disk.system]
    system = next(_reference(at, "FromImage") for disk, at in attached if disk.system)
    properties: dict[str, Any] = {
        "vmId": str(uuid.uuid4()),
        "provisioningState": "Succeeded",
        "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
        "storageProfile": {"osDisk": {"osType": "Linux", **system}, "dataDisks": data},
        "osProfile": {"computerName": name, "adminUsername": "azureuser"},
        "timeCreated": now,
    }
    return {"name": name, "id": id, "type": MACHINES, "location": location, "tags": tags, "properties": properties}


def _reference(disk: str, option: str) -> dict[str, Any]:
    name = disk.rpartition("/")[2]
    return {"name": name, "createOption": option, "caching": "ReadWrite", "managedDisk": {"id": disk}}
