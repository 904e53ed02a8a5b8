"""What role assignments let their holders do: actions of Resource Manager and data actions of services.

Rules (Azure RBAC docs):
- An action is `<provider>/<types>/<verb>`: GET is read, PUT and PATCH are write, DELETE is delete, POST is an action of
  its own. A role's pattern may hold `*`; case doesn't matter.
- Resource Graph answers everybody, but with those rows alone that the caller may read.
- What `granted` names, as a deployment would leave it, acts from the start and isn't among the assignments.
- Nothing is refused before roles are defined: most tests are about something else.
"""

import json
import uuid
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from local.cloud.arm import Arm, error
from local.cloud.entra import Principal
from local.cloud.resources.roles import Roles, covers
from local.cloud.wire import CloudRequest, Reply

_BUILT_IN = Path(__file__).with_name("built_in_roles.json")
_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
_GROUPS = "Microsoft.Resources/subscriptions/resourceGroups"


class Permissions:
    """`roles`: guids by name. `definitions`: patterns by guid. `granted`: (object id, guid of a role, scope)."""

    def __init__(self, arm: Arm, roles: Roles) -> None:
        self._roles = roles
        self.roles: dict[str, str] = {}
        self.definitions: dict[str, list[str]] = {}
        self.granted: set[tuple[str, str, str]] = set()
        arm.checks.append(self.refuse)

    def define(self, custom: dict[str, list[str]], built_in: dict[str, str]) -> None:
        """Check callers from now on, by these roles: the actions of our own by name, the guids of others by name."""
        self.roles = {name: str(uuid.uuid5(uuid.NAMESPACE_DNS, name)) for name in custom} | built_in
        ours = {self.roles[name]: actions for name, actions in custom.items()}
        self.definitions = json.loads(_BUILT_IN.read_text())["dataActions"] | ours

    def allows(self, caller: Principal, action: str, scope: str) -> bool:
        """Whether an assignment that is effective now lets the caller do this there."""
        return not self.definitions or any(self.holds(caller.object_id, role, scope) for role in self._with(action))

    def scopes(self, caller: Principal, action: str) -> list[str]:
        """Where the caller may do this now, and below; everywhere before roles are defined."""
        if not self.definitions:
            return ["/"]
        roles = {role.lower() for role in self._with(action)}
        deployed = [at for holder, role, at in self.granted if holder == caller.object_id and role.lower() in roles]
        return deployed + self._roles.scopes(caller.object_id, roles)

    def holds(self, principal_id: str, role: str, scope: str) -> bool:
        """Whether the principal (object id) has the role (guid) at the scope now, from whomever."""
        deployed = any(granted[:2] == (principal_id, role) and covers(granted[2], scope) for granted in self.granted)
        return deployed or self._roles.effective(principal_id, role, scope)

    def _with(self, action: str) -> Iterable[str]:
        return (role for role, patterns in self.definitions.items() if matches(action, patterns))

    def refuse(self, caller: Principal, call: CloudRequest) -> Reply | None:
        """Resource Manager's 403, unless the caller may do what it asks for."""
        action, scope = action_of(call.method, call.path)
        if action.startswith("Microsoft.ResourceGraph/") or self.allows(caller, action, scope):
            return None
        return error(
            403,
            "AuthorizationFailed",
            f"The client '{caller.client_id}' with object id '{caller.object_id}' does not have authorization to "
            f"perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, "
            "please refresh your credentials.",
        )


def matches(action: str, patterns: Iterable[str]) -> bool:
    """Whether one of a role's patterns covers the action."""
    return any(_covered(action, pattern) for pattern in patterns)


@cache
def _covered(action: str, pattern: str) -> bool:
    return fnmatchcase(action.lower(), pattern.lower())


def action_of(method: str, path: str) -> tuple[str, str]:
    """The action that a request to Resource Manager asks for, and the scope it asks for it at."""
    _, found, resource = path.rpartition("/providers/")
    if not found:
        return f"{_GROUPS}/{_VERBS[method]}", path
    provider, *rest = resource.strip("/").split("/")
    if not rest:
        return "Microsoft.Resources/subscriptions/providers/read", path
    if method == "POST":
        return "/".join([provider, *rest[::2], "action"]), path.rsplit("/", 1)[0]
    return "/".join([provider, *rest[::2], _VERBS[method]]), path
