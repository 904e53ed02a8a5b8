"""Role assignments.

Rules:
- An assignment can be read at once but takes effect late: after `lag`, or `lags` of its role (Azure RBAC: minutes).
- `effective` is what other services ask; assignments are inherited from parent scopes.
- A principal is unknown to the service until it has been replicated, unless the caller says its type.
"""

import re
import uuid
from collections.abc import Callable, Collection
from typing import Any

from local.cloud.arm import SUBSCRIPTION, Arm, Resource, error, iso
from local.cloud.entra import TENANT, Entra, Principal
from local.cloud.wire import Reply, Route, WireRequest

LAG_SECONDS = 90.0
REPLICATION_SECONDS = 30.0
_TYPE = "Microsoft.Authorization/roleAssignments"
_DEFINITIONS = "/providers/Microsoft.Authorization/roleDefinitions"


class Roles:
    """Times are seconds of virtual time; `lags` overrides `lag` for single roles, by their guid; `draw` decides."""

    def __init__(self, arm: Arm, entra: Entra) -> None:
        self._arm, self._entra = arm, entra
        self.lag, self.replication = LAG_SECONDS, REPLICATION_SECONDS
        self.lags: dict[str, float] = {}
        self.draw: Callable[[str], float] = lambda role: self.lags.get(role, self.lag)
        self._since: dict[str, float] = {}
        all_at = f"/{{scope:path}}/providers/{_TYPE}"
        routes = [
            Route("GET", all_at, self._list),
            Route("PUT", all_at + "/{name}", self._put),
            Route("GET", all_at + "/{name}", self._get),
            Route("DELETE", all_at + "/{name}", self._delete),
        ]
        arm.wire.mount(routes, guard=arm.guard)

    def effective(self, principal_id: str, role: str, scope: str) -> bool:
        """Whether the principal (object id) has the role (guid) at the scope now."""
        return any(
            assignment["properties"]["principalId"] == principal_id
            and _role(assignment) == role.lower()
            and covers(assignment["properties"]["scope"], scope)
            and self._since[assignment["id"].lower()] <= self._arm.clock.time()
            for assignment in self._arm.of_type(_TYPE)
        )

    def scopes(self, principal_id: str, roles: Collection[str]) -> list[str]:
        """Where the principal (object id) holds one of these roles (guids) now."""
        return [
            assignment["properties"]["scope"]
            for assignment in self._arm.of_type(_TYPE)
            if assignment["properties"]["principalId"] == principal_id
            and _role(assignment) in roles
            and self._since[assignment["id"].lower()] <= self._arm.clock.time()
        ]

    def grant(self, principal_id: str, role: str, scope: str) -> Resource:
        """Assign a role with effect at once, as if it had been done long ago."""
        properties = {
            "roleDefinitionId": f"/subscriptions/{SUBSCRIPTION}{_DEFINITIONS}/{role}",
            "principalId": principal_id,
            "principalType": "ServicePrincipal",
        }
        return self._store(scope, str(uuid.uuid4()), properties, since=self._arm.clock.time(), by=str(uuid.uuid4()))

    def _put(self, call: WireRequest) -> Reply:
        caller = self._arm.caller(call)
        assert caller, "the guard lets nobody else through"
        scope, name = f"/{call.params['scope']}", call.params["name"]
        return self.assign(scope, name, call.body["properties"], by=caller.object_id)

    def assign(self, scope: str, name: str, properties: dict[str, Any], *, by: str) -> Reply:
        """The answer to an assignment, as a call or a deployment makes it."""
        id = f"{scope}/providers/{_TYPE}/{name}"
        refused = self._unknown(properties) or self._conflict(scope, id, properties)
        if refused:
            return refused
        existing = self._arm.find(id)
        since = self._arm.clock.time() + self.draw(_guid(properties["roleDefinitionId"]))
        if existing:
            since = self._since[existing["id"].lower()]
        assignment = self._store(scope, name, properties, since=since, by=by)
        # The answer to the PUT itself doesn't name the creator yet (seen in recorded traffic).
        answer = assignment | {"properties": {**assignment["properties"], "createdBy": None}}
        return Reply(status=201, body=answer)

    def _unknown(self, properties: dict[str, Any]) -> Reply | None:
        kind, id = properties.get("principalType"), properties["principalId"]
        principal = next((p for p in self._entra.principals.values() if p.object_id == id), None)
        replicated = principal is not None and self._arm.clock.time() >= principal.created + self.replication
        if not replicated and kind is None:
            return error(
                400,
                "PrincipalNotFound",
                f"Principal {id.replace('-', '')} does not exist in the directory {TENANT}. Check that you have the "
                "correct principal ID. If you are creating this principal and then immediately assigning a role, this "
                "error might be related to a replication delay. In this case, set the role assignment principalType "
                "property to a value, such as ServicePrincipal, User, or Group.  "
                "See https://aka.ms/docs-principaltype",
            )
        if replicated and principal and kind not in (None, actual := _kind(principal)):
            return error(
                400,
                "UnmatchedPrincipalType",
                f"The PrincipalId '{id}' has type '{actual}' , "
                f"which is different from specified PrinciaplType '{kind}'.",
            )
        return None

    def _conflict(self, scope: str, id: str, properties: dict[str, Any]) -> Reply | None:
        wanted = (scope.lower(), properties["principalId"], _guid(properties["roleDefinitionId"]))
        for other in self._arm.of_type(_TYPE):
            same = (other["properties"]["scope"].lower(), other["properties"]["principalId"], _role(other)) == wanted
            if same and other["id"].lower() != id.lower():
                return error(
                    409,
                    "RoleAssignmentExists",
                    f"The role assignment already exists. The ID of the conflicting role assignment is "
                    f"{other['name'].replace('-', '')}.",
                )
            if not same and other["id"].lower() == id.lower():
                return error(
                    400,
                    "RoleAssignmentUpdateNotPermitted",
                    "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
                )
        return None

    def _get(self, call: WireRequest) -> Reply:
        assignment = self._arm.find(call.path)
        return Reply(body=assignment) if assignment else _absent(call)

    def _delete(self, call: WireRequest) -> Reply:
        assignment = self._arm.remove(call.path)
        return Reply(body=assignment) if assignment else Reply(status=204)

    def _list(self, call: WireRequest) -> Reply:
        scope, condition = f"/{call.params['scope']}", call.query.get("$filter", "")
        principal = re.search(r"(?:principalId eq |assignedTo\()'([^']*)'", condition)
        found = [
            assignment
            for assignment in self._arm.of_type(_TYPE)
            if covers(assignment["properties"]["scope"], scope)
            or ("atScope()" not in condition and covers(scope, assignment["properties"]["scope"]))
        ]
        return Reply(
            body={"value": [a for a in found if not principal or a["properties"]["principalId"] == principal[1]]}
        )

    def _store(self, scope: str, name: str, properties: dict[str, Any], *, since: float, by: str) -> Resource:
        id = f"{scope.rstrip('/')}/providers/{_TYPE}/{name}"
        existing = self._arm.find(id)
        now = iso(self._arm.clock.time())
        self._since[id.lower()] = since
        defaults = dict.fromkeys(("condition", "conditionVersion", "delegatedManagedIdentityResourceId", "description"))
        stamps = {"createdOn": existing["properties"]["createdOn"] if existing else now, "updatedOn": now}
        return self._arm.store(
            {
                "properties": {
                    **defaults,
                    "principalType": "User",
                    **properties,
                    "scope": scope,
                    **stamps,
                    "createdBy": by,
                    "updatedBy": by,
                },
                "id": id,
                "type": _TYPE,
                "name": name,
            }
        )


def covers(parent: str, scope: str) -> bool:
    """Whether what is assigned at `parent` is inherited by `scope`."""
    return f"{scope.lower().rstrip('/')}/".startswith(f"{parent.lower().rstrip('/')}/")


def _guid(role_definition_id: str) -> str:
    return role_definition_id.rsplit("/", 1)[-1].lower()


def _role(assignment: Resource) -> str:
    return _guid(assignment["properties"]["roleDefinitionId"])


def _kind(principal: Principal) -> str:
    return "ServicePrincipal" if principal.kind == "app" else "User"


def _absent(call: WireRequest) -> Reply:
    return error(404, "RoleAssignmentNotFound", f"The role assignment '{call.params['name']}' is not found.")
