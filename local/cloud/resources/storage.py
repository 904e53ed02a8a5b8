"""Storage accounts and their blob containers.

Rules:
- Creation answers 202 without a body; its Location gives the account when it is done. An update answers 200 at once.
- Names are 3 to 24 lower-case letters and digits, unique in all of Azure: names in `taken` belong to others.
- Accounts are shaped after recorded traffic, containers after the SDK's models: no specification of them was at hand.
"""

import re
from collections.abc import Iterable
from typing import Any

from local.cloud.arm import REGION, Arm, Operation, Resource, error, iso, not_found
from local.cloud.wire import CloudRequest, Reply, Route

CREATE_SECONDS = 25.0
TYPE = "Microsoft.Storage/storageAccounts"
CONTAINER_TYPE = f"{TYPE}/blobServices/containers"
_GROUP = "/subscriptions/{subscription}/resourceGroups/{group}"
_ACCOUNT = f"{_GROUP}/providers/{TYPE}/{{account}}"
_CONTAINER = f"{_ACCOUNT}/blobServices/default/containers/{{name}}"
_POLL = "/subscriptions/{subscription}/providers/Microsoft.Storage/locations/{location}/asyncoperations/{operation}"
_SERVICES = ("blob", "dfs", "file", "queue", "table", "web")


class Storage:
    """`blobs` has the names of what is in containers that Azure filled, by their ids in lower case."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self.taken: set[str] = set()
        self.blobs: dict[str, list[str]] = {}
        self._creating: dict[str, str] = {}
        routes = [
            Route("GET", f"/subscriptions/{{subscription}}/providers/{TYPE}", arm.list_of(TYPE)),
            Route("GET", f"{_GROUP}/providers/{TYPE}", arm.list_of(TYPE)),
            Route(
                "POST", "/subscriptions/{subscription}/providers/Microsoft.Storage/checkNameAvailability", self._free
            ),
            Route("PUT", _ACCOUNT, self._put),
            Route("PATCH", _ACCOUNT, self._patch),
            Route("GET", _ACCOUNT, arm.get),
            Route("DELETE", _ACCOUNT, self._delete),
            Route("GET", _POLL, self._poll),
            Route("GET", f"{_ACCOUNT}/blobServices/default/containers", arm.list_of(CONTAINER_TYPE)),
            Route("PUT", _CONTAINER, self._put_container),
            Route("GET", _CONTAINER, self._get_container),
            Route("DELETE", _CONTAINER, self._delete_container),
        ]
        arm.wire.mount(routes, guard=arm.guard)

    def _free(self, call: CloudRequest) -> Reply:
        refused = self._refuse_name(call.body["name"])
        if refused is None:
            return Reply(body={"nameAvailable": True})
        reason = "AccountNameInvalid" if refused.status == 400 else "AlreadyExists"
        return Reply(body={"nameAvailable": False, "reason": reason, "message": refused.body["error"]["message"]})

    def _refuse_name(self, name: str, id: str = "") -> Reply | None:
        if not re.fullmatch(r"[a-z0-9]{3,24}", name):
            return error(
                400,
                "AccountNameInvalid",
                f"{name} is not a valid storage account name. Storage account name must be between 3 and 24 characters "
                "in length and use numbers and lower-case letters only.",
            )
        elsewhere = any(a["name"] == name and a["id"].lower() != id.lower() for a in self._arm.of_type(TYPE))
        if name in self.taken or elsewhere:
            return error(409, "StorageAccountAlreadyTaken", f"The storage account named {name} is already taken.")
        return None

    def _put(self, call: CloudRequest) -> Reply:
        existing = self._arm.find(call.path)
        refused = self._refuse_name(call.params["account"], call.path)
        if refused:
            return refused
        if existing:
            return self._patch(call)
        if any(path == call.path and self._arm.operations[id].open for id, path in self._creating.items()):
            message = "An operation is currently performing on this storage account that requires exclusive access."
            return error(409, "StorageAccountOperationInProgress", message)
        account = self._account(call.path, call.body)
        operation = self._arm.begin(CREATE_SECONDS, lambda _: self._arm.store(account))
        self._creating[operation.id] = call.path
        return self._pending(call, operation, call.body["location"])

    def _patch(self, call: CloudRequest) -> Reply:
        account = self._arm.find(call.path)
        if account is None:
            return not_found(call)
        properties = account["properties"] | call.body.get("properties", {})
        changed = {key: call.body[key] for key in ("tags", "identity") if key in call.body}
        return Reply(body=self._arm.store(account | changed | {"properties": properties}))

    def _account(self, id: str, sent: dict[str, Any]) -> Resource:
        name, now = id.rpartition("/")[2], iso(self._arm.clock.time())
        service = {"keyType": "Account", "enabled": True, "lastEnabledTime": now}
        defaults: dict[str, Any] = {
            "keyCreationTime": {"key1": now, "key2": now},
            "privateEndpointConnections": [],
            "minimumTlsVersion": "TLS1_2",
            "allowBlobPublicAccess": False,
            "networkAcls": {
                "ipv6Rules": [],
                "bypass": "AzureServices",
                "virtualNetworkRules": [],
                "ipRules": [],
                "defaultAction": "Allow",
            },
            "supportsHttpsTrafficOnly": True,
            "encryption": {"services": {"file": service, "blob": service}, "keySource": "Microsoft.Storage"},
            "accessTier": "Hot",
            "provisioningState": "Succeeded",
            "creationTime": now,
            "primaryEndpoints": {s: f"https://{name}.{s}.core.windows.net/" for s in _SERVICES},
            "primaryLocation": sent["location"],
            "statusOfPrimary": "available",
        }
        sku = sent["sku"]["name"]
        return {
            "sku": {"name": sku, "tier": sku.split("_")[0]},
            "kind": sent["kind"],
            "id": id,
            "name": name,
            "type": TYPE,
            "location": sent["location"],
            "tags": sent.get("tags", {}),
            "properties": defaults | sent.get("properties", {}),
        }

    def _poll(self, call: CloudRequest) -> Reply:
        operation = self._arm.operations.get(call.params["operation"])
        if operation is None:
            return error(404, "NotFound", "The operation was not found.")
        if operation.open:
            return self._pending(call, operation, call.params["location"])
        return Reply(body=self._arm.find(self._creating[operation.id]))

    def _pending(self, call: CloudRequest, operation: Operation, location: str) -> Reply:
        provider = f"/subscriptions/{call.params['subscription']}/providers/Microsoft.Storage"
        path = f"{provider}/locations/{location}/asyncoperations/{operation.id}"
        link = self._arm.link(path, call.query["api-version"])
        return Reply(status=202, headers={"Location": f"{link}&monitor=true", "Retry-After": "17"})

    def _delete(self, call: CloudRequest) -> Reply:
        if self._arm.remove(call.path) is None:
            return Reply(status=204)
        for container in self._arm.of_type(CONTAINER_TYPE, under=f"{call.path}/"):
            self._arm.remove(container["id"])
        return Reply()

    def _put_container(self, call: CloudRequest) -> Reply:
        if self._arm.find(call.path.rsplit("/blobServices/", 1)[0]) is None:
            return not_found(call)
        existing = self._arm.find(call.path)
        if existing:
            return Reply(body=existing)
        container = self._container(call.path, call.body.get("properties", {}))
        return Reply(status=201, body=self._arm.store(container))

    def add(self, id: str, *, sku: str = "Standard_LRS") -> Resource:
        """Make an account exist."""
        sent = {"location": REGION, "kind": "StorageV2", "sku": {"name": sku}}
        return self._arm.store(self._account(id, sent))

    def add_container(self, account: str, name: str, blobs: Iterable[str]) -> Resource:
        """A container that Azure itself makes in an account (resource id), with blobs of these names in it."""
        container = self._container(f"{account}/blobServices/default/containers/{name}", {})
        self.blobs[container["id"].lower()] = list(blobs)
        return self._arm.store(container)

    def containers(self, account: str) -> list[str]:
        """The names of an account's containers (resource id)."""
        return [c["name"] for c in self._arm.of_type(CONTAINER_TYPE, under=f"{account}/")]

    def _container(self, id: str, chosen: dict[str, Any]) -> Resource:
        now = self._arm.clock.time()
        return {
            "id": id,
            "name": id.rpartition("/")[2],
            "type": CONTAINER_TYPE,
            "etag": f'"0x{int(now * 10_000_000):X}"',
            "properties": {
                "deleted": False,
                "remainingRetentionDays": 0,
                "defaultEncryptionScope": "$account-encryption-key",
                "denyEncryptionScopeOverride": False,
                "publicAccess": "None",
                "leaseStatus": "Unlocked",
                "leaseState": "Available",
                "lastModifiedTime": iso(now),
                "hasImmutabilityPolicy": False,
                "hasLegalHold": False,
                **chosen,
            },
        }

    def _get_container(self, call: CloudRequest) -> Reply:
        container = self._arm.find(call.path)
        return Reply(body=container) if container else error(404, "ContainerNotFound", _NO_CONTAINER)

    def _delete_container(self, call: CloudRequest) -> Reply:
        return Reply(status=200 if self._arm.remove(call.path) else 204)


_NO_CONTAINER = "The specified container does not exist."
