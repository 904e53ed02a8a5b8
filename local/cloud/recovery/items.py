"""What a Recovery Services vault protects of Azure Files: storage accounts as containers, shares as items.

Rules (seen in recorded traffic, or Azure Backup docs):
- The way in has an order: refresh finds accounts, register takes one, inquire finds its shares, which can be protected.
- An account belongs to one vault. An item's name is a hash; the share's name stands in friendlyName only.
- The casing of names isn't stable: container and item are spelled in three ways.
- After a completed backup an item still says IRPending.
- A deleted item stays, scheduled for deletion after 14 days; a PUT with isRehydrate brings it back.
- Unregistering answers with a malformed Location.
"""

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from local.cloud.arm import Operation, OperationFailed, Resource, iso, not_found
from local.cloud.recovery.jobs import RecoveryJobs
from local.cloud.recovery.protocol import VAULT, Operations, filtered, vault_of
from local.cloud.recovery.rows import (
    CONTAINERS,
    ITEMS,
    container_row,
    item_row,
    protectable_container,
    protectable_item,
    share_hash,
)
from local.cloud.resources.storage import TYPE as ACCOUNTS
from local.cloud.wire import Call, Reply, Route

if TYPE_CHECKING:
    from local.cloud.world import World

REFRESH_SECONDS = 15.0
REGISTER_SECONDS = 60.0
INQUIRE_SECONDS = 30.0
PROTECT_SECONDS = 20.0
SOFT_DELETE_DAYS = 14
_FABRIC = f"{VAULT}/backupFabrics/{{fabric}}"
_CONTAINER = f"{_FABRIC}/protectionContainers/{{container}}"
_ITEM = f"{_CONTAINER}/protectedItems/{{item}}"


class RecoveryItems:
    def __init__(self, world: "World", operations: Operations) -> None:
        self.world = world
        self.jobs = RecoveryJobs(world, operations)
        self._operations = operations
        self._found: dict[str, list[str]] = {}
        world.wire.mount(
            [
                Route("POST", f"{_FABRIC}/refreshContainers", self._refresh),
                Route("GET", f"{_FABRIC}/protectableContainers", self._list_protectable_containers),
                Route("PUT", _CONTAINER, self._register),
                Route("GET", _CONTAINER, self._get),
                Route("DELETE", _CONTAINER, self._unregister),
                Route("GET", f"{VAULT}/backupProtectionContainers", self._list_containers),
                Route("POST", f"{_CONTAINER}/inquire", self._inquire),
                Route("GET", f"{VAULT}/backupProtectableItems", self._list_protectable_items),
                Route("PUT", _ITEM, self._protect),
                Route("GET", _ITEM, self._get_item),
                Route("DELETE", _ITEM, self._delete_item),
                Route("GET", f"{VAULT}/backupProtectedItems", self._list_items),
            ],
            guard=world.resource_groups.guard,
        )

    def protecting(self, account: str, share: str) -> Resource:
        """The item of a share; KeyError if it isn't protected."""
        for item in self.world.arm.of_type(ITEMS):
            named = item["properties"]["sourceResourceId"].rpartition("/")[2]
            if (named, item["properties"]["friendlyName"]) == (account, share):
                return item
        raise KeyError(f"{account}/{share}")

    def protect(self, vault: str, account: Resource, share: str, policy: str) -> Resource:
        """An item that has been protected for long."""
        container = self.world.arm.store(container_row(vault, account, {}))
        container["properties"]["protectedItemCount"] += 1
        return self.world.arm.store(item_row(vault, account["id"], share, policy))

    # containers

    def _refresh(self, call: Call) -> Reply:
        vault = vault_of(call.path)
        if self.world.arm.find(vault) is None:
            return not_found(call)
        return self._operations.accepted(call.path.rpartition("/")[0], REFRESH_SECONDS, lambda _: self._discover(vault))

    def _discover(self, vault: str) -> None:
        self._found[vault.lower()] = [account["id"] for account in self.world.arm.of_type(ACCOUNTS)]

    def _list_protectable_containers(self, call: Call) -> Reply:
        vault = vault_of(call.path)
        accounts = (self.world.arm.find(id) for id in self._found.get(vault.lower(), ()))
        return Reply(body={"value": [protectable_container(vault, a) for a in accounts if a and not self._holder(a)]})

    def _holder(self, account: Resource) -> Resource | None:
        """The container as which the account is registered with some vault."""
        registered = self.world.arm.of_type(CONTAINERS)
        return next(
            (c for c in registered if c["properties"]["sourceResourceId"].lower() == account["id"].lower()), None
        )

    def _register(self, call: Call) -> Reply:
        vault, sent = vault_of(call.path), call.body["properties"]
        if self.world.arm.find(vault) is None:
            return not_found(call)

        def register(_: Operation) -> None:
            account = self.world.arm.find(sent["sourceResourceId"])
            if account is None:
                raise OperationFailed("UserErrorStorageAccountNotFound", "The storage account doesn't exist.")
            holder = self._holder(account)
            if holder and vault_of(holder["id"]).lower() != vault.lower():
                message = "The storage account is already registered with another vault."
                raise OperationFailed("UserErrorStorageAccountAlreadyRegistered", message)
            self.world.arm.store(container_row(vault, account, sent) if holder is None else holder)

        return self._operations.accepted(
            call.path, REGISTER_SECONDS, register, body={}, answer=lambda: Reply(body=self.world.arm.find(call.path))
        )

    def _unregister(self, call: Call) -> Reply:
        if self.world.arm.find(call.path) is None:
            return Reply(status=204)
        at = call.path.rpartition("/protectionContainers/")[0]
        reply = self._operations.accepted(at, REFRESH_SECONDS, lambda _: self.world.arm.remove(call.path))
        operation = reply.headers["Location"].partition("?")[0].rpartition("/")[2]
        result = f"{self.world.wire.url}{vault_of(call.path)}/backupOperationResults/{operation}"
        reply.headers["Location"] = f"{result}?fabricName=Azure%3fapi-version%3d2024-04-01"
        return reply

    def _list_containers(self, call: Call) -> Reply:
        wanted = filtered(call)
        found = self.world.arm.of_type(CONTAINERS, f"{vault_of(call.path)}/")
        return Reply(body={"value": [c for c in found if _is(c, wanted, "backupManagementType", "friendlyName")]})

    def _get(self, call: Call) -> Reply:
        found = self.world.arm.find(call.path)
        return Reply(body=deepcopy(found)) if found else not_found(call)

    # shares

    def _inquire(self, call: Call) -> Reply:
        at = call.path.rpartition("/")[0]
        container = self.world.arm.find(at)
        if container is None:
            return not_found(call)
        account = container["properties"]["friendlyName"]

        def inquire(_: Operation) -> None:
            self._found[container["id"].lower()] = self.world.file_shares.shares(account)

        return self._operations.accepted(at, INQUIRE_SECONDS, inquire)

    def _list_protectable_items(self, call: Call) -> Reply:
        containers = self.world.arm.of_type(CONTAINERS, f"{vault_of(call.path)}/")
        rows = (protectable_item(c, share) for c in containers for share in self._found.get(c["id"].lower(), ()))
        return Reply(body={"value": [self._with_state(row) for row in rows]})

    def _with_state(self, row: Resource) -> Resource:
        item = self.world.arm.find(row["id"].replace("/protectableItems/", "/protectedItems/"))
        row["properties"]["protectionState"] = "Protected" if item else "NotProtected"
        return row

    def _protect(self, call: Call) -> Reply:
        container = self.world.arm.find(call.path.rpartition("/protectedItems/")[0])
        if container is None:
            return not_found(call)
        old, sent = self.world.arm.find(call.path), call.body["properties"]
        account = container["properties"]["sourceResourceId"]
        share = old["properties"]["friendlyName"] if old else self._share(call, container)
        item = old or item_row(vault_of(call.path), account, share or "", sent.get("policyId") or "")
        operation = "Undelete" if sent.get("isRehydrate") else "ConfigureBackup"
        if sent.get("protectionState") == "ProtectionStopped":
            operation = "DisableBackup"
        job = self.jobs.start(item, operation)

        def protect(done: Operation) -> None:
            if share is None:
                raise OperationFailed("UserErrorFileShareNotFound", "The file share was not found.")
            container["properties"]["protectedItemCount"] += old is None
            _change(item, operation, sent)
            self.world.arm.store(item)
            done.properties["jobId"] = job["name"]
            self.jobs.close(job)

        return self._operations.accepted(call.path, PROTECT_SECONDS, protect, answer=lambda: Reply(body=item))

    def _share(self, call: Call, container: Resource) -> str | None:
        wanted, account = call.params["item"].rpartition(";")[2].lower(), container["properties"]["sourceResourceId"]
        shares = self.world.file_shares.shares(container["properties"]["friendlyName"])
        return next((share for share in shares if share_hash(account, share) == wanted), None)

    def _get_item(self, call: Call) -> Reply:
        item = self.world.arm.find(call.path)
        if item is None:
            return not_found(call)
        shown = deepcopy(item)
        shown["properties"]["extendedInfo"] = {
            "recoveryPointCount": len(self.jobs.points(item)),
            "policyState": "Consistent",
            "resourceState": "Active",
            "resourceStateSyncTime": iso(self.world.clock.time()),
        }
        return Reply(body=shown)

    def _delete_item(self, call: Call) -> Reply:
        item = self.world.arm.find(call.path)
        if item is None:
            return Reply(status=204)
        job = self.jobs.start(item, "DeleteBackupData")

        def delete(done: Operation) -> None:
            done.properties["jobId"] = job["name"]
            self.jobs.close(job)
            self._delete_softly(item)

        return self._operations.accepted(vault_of(call.path), PROTECT_SECONDS, delete)

    def _delete_softly(self, item: Resource) -> None:
        now = self.world.clock.time()
        item["properties"].update(
            protectionState="ProtectionStopped",
            policyId="",
            deferredDeleteTimeInUTC=iso(now),
            isScheduledForDeferredDelete=True,
            deferredDeleteTimeRemaining=f"{SOFT_DELETE_DAYS - 1}.23:59:42.8656002",
            softDeleteRetentionPeriod=SOFT_DELETE_DAYS,
        )
        self.world.clock.after(SOFT_DELETE_DAYS * 86_400, lambda: self._purge(item, iso(now)))

    def _purge(self, item: Resource, deleted: str) -> None:
        if item["properties"].get("deferredDeleteTimeInUTC") == deleted:
            self.world.arm.remove(item["id"])

    def _list_items(self, call: Call) -> Reply:
        wanted = filtered(call)
        found = self.world.arm.of_type(ITEMS, f"{vault_of(call.path)}/")
        return Reply(body={"value": [i for i in found if _is(i, wanted, "backupManagementType", "friendlyName")]})


def _is(row: Resource, wanted: dict[str, str], *keys: str) -> bool:
    return all(row["properties"][key].lower() == wanted[key].lower() for key in keys if key in wanted)


def _change(item: Resource, operation: str, sent: dict[str, Any]) -> None:
    held = item["properties"]
    if operation == "ConfigureBackup":
        held.update(policyId=sent.get("policyId") or "", protectionState="IRPending")
    else:
        held["protectionState"] = "ProtectionStopped"
    if operation == "Undelete":
        for name in ("isScheduledForDeferredDelete", "deferredDeleteTimeInUTC", "deferredDeleteTimeRemaining"):
            held.pop(name, None)
