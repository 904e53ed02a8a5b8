"""Resource groups.

Rules:
- Whatever is asked about what is in a group that doesn't exist, it is the group that isn't found: Resource Manager's
  guard asks here.
- Deletion takes minutes and takes everything in the group along; it fails with 409 for a group in `blocked`.
- A lock on the group or on what is in it refuses the deletion. An account with locked evidence stays, and with it the
  group: the deletion fails when all else is gone.
"""

import re
from collections.abc import Iterator

from local.cloud.arm import REGION, SUBSCRIPTION, Arm, Operation, OperationFailed, Resource, error
from local.cloud.entra import Principal
from local.cloud.wire import CloudRequest, Reply, Route

DELETE_SECONDS = 120.0
TYPE = "Microsoft.Resources/resourceGroups"
LOCKS = "Microsoft.Authorization/locks"
POLICIES = "Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies"
_POLL = "/subscriptions/{subscription}/operationresults/{operation}"


class ResourceGroups:
    """`blocked` holds names (lower-case) of groups that can't be deleted, with the reason that Azure would give."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self.blocked: dict[str, str] = {}
        one = "/subscriptions/{subscription}/resourcegroups/{group}"
        routes = [
            Route("GET", "/subscriptions/{subscription}/resourcegroups", self._list),
            Route("PUT", one, self._put),
            Route("GET", one, self._get),
            Route("HEAD", one, self._head),
            Route("DELETE", one, self._delete),
            Route("GET", _POLL, self._poll),
        ]
        arm.checks.append(self.refuse)
        arm.wire.mount(routes, guard=arm.guard)

    def add(
        self,
        name: str,
        *,
        location: str = REGION,
        tags: dict[str, str] | None = None,
        subscription: str = SUBSCRIPTION,
    ) -> Resource:
        """Make a group exist; one that exists is left as it is."""
        id = f"/subscriptions/{subscription}/resourceGroups/{name}"
        return self._arm.find(id) or self._arm.store(
            {
                "id": id,
                "name": name,
                "type": TYPE,
                "location": location,
                **({"tags": tags} if tags is not None else {}),
                "properties": {"provisioningState": "Succeeded"},
            }
        )

    def refuse(self, _caller: Principal, call: CloudRequest) -> Reply | None:
        """404 for what is asked about the inside of a group that doesn't exist."""
        inside = re.match(r"(/subscriptions/[^/]+/resourcegroups/([^/]+))/", call.path, re.IGNORECASE)
        return _absent(inside[2]) if inside and not self._arm.find(inside[1]) else None

    def _list(self, call: CloudRequest) -> Reply:
        wanted = re.fullmatch(r"tagName eq '([^']*)'(?: and tagValue eq '([^']*)')?", call.query.get("$filter", ""))
        groups = self._arm.of_type(TYPE, under=f"/subscriptions/{call.params['subscription']}/")
        return Reply(body={"value": [group for group in groups if not wanted or _tagged(group, *wanted.groups())]})

    def _put(self, call: CloudRequest) -> Reply:
        existing = self._arm.find(call.path)
        where = call.params["subscription"]
        group = self.add(call.params["group"], location=call.body["location"], subscription=where)
        if "tags" in call.body:
            self._arm.store(group | {"tags": call.body["tags"]})
        return Reply(status=200 if existing else 201, body=self._arm.find(call.path))

    def _get(self, call: CloudRequest) -> Reply:
        group = self._arm.find(call.path)
        return Reply(body=group) if group else _absent(call.params["group"])

    def _head(self, call: CloudRequest) -> Reply:
        return Reply(status=204 if self._arm.find(call.path) else 404)

    def _delete(self, call: CloudRequest) -> Reply:
        group = self._arm.find(call.path)
        if not group:
            return _absent(call.params["group"])
        lock = next(self._arm.of_type(LOCKS, under=f"{call.path}/"), None)
        if lock:
            text = f"The scope '{call.path}' cannot perform delete operation because following scope(s) are locked: "
            scope = lock["id"].rpartition("/providers/Microsoft.Authorization/")[0]
            return error(409, "ScopeLocked", f"{text}'{scope}'. Please remove the lock and try again.")
        self._arm.store(group | {"properties": {"provisioningState": "Deleting"}})
        operation = self._arm.begin(DELETE_SECONDS, lambda _: self._remove(call))
        return self._pending(operation, call)

    def _remove(self, call: CloudRequest) -> None:
        reason = self.blocked.get(call.params["group"].lower())
        if reason:
            self._arm.store(self._arm.resources[call.path.lower()] | {"properties": {"provisioningState": "Succeeded"}})
            raise OperationFailed("ResourceGroupDeletionBlocked", reason)
        kept = set(self._kept(call.path))
        for id in [id for id in self._arm.resources if f"{id}/".startswith(f"{call.path.lower()}/")]:
            if id not in kept:
                self._arm.remove(id)
        if kept:
            failed = f"Deletion of resource group '{call.params['group']}' failed"
            raise OperationFailed("ResourceGroupDeletionBlocked", f"{failed}: an immutability policy is locked.")

    def _kept(self, group: str) -> Iterator[str]:
        """The group, and the accounts in it that a locked policy keeps with all that they hold."""
        for policy in self._arm.of_type(POLICIES, under=f"{group}/"):
            if policy["properties"].get("state") == "Locked":
                account = policy["id"].lower().partition("/blobservices/")[0]
                yield from (id for id in self._arm.resources if f"{id}/".startswith(f"{account}/"))
                yield group.lower()

    def _poll(self, call: CloudRequest) -> Reply:
        operation = self._arm.operations.get(call.params["operation"])
        if operation is None:
            return error(404, "NotFound", "The operation was not found.")
        if operation.open:
            return self._pending(operation, call)
        return Reply(status=409, body={"error": operation.error}) if operation.error else Reply()

    def _pending(self, operation: Operation, call: CloudRequest) -> Reply:
        path = f"/subscriptions/{call.params['subscription']}/operationresults/{operation.id}"
        link = self._arm.link(path, call.query.get("api-version", "2021-04-01"))
        return Reply(status=202, headers={"Location": link, "Retry-After": "15"})


def _absent(group: str) -> Reply:
    return error(
        404,
        "ResourceGroupNotFound",
        f"Resource group '{group}' could not be found.",
        headers={"x-ms-failure-cause": "gateway"},
    )


def _tagged(group: Resource, name: str, value: str | None) -> bool:
    tags = group.get("tags", {})
    return name in tags and value in (None, tags[name])
