"""Microsoft Graph as `az ad` and `az rest` use it for app registrations: applications, service principals, app roles.

Rules (Graph v1.0 docs): a filter is `<property> eq '<value>'`; a registration's identifier URI names its own app id, as
no domain is verified; an app role that is assigned twice is refused; an application is pre-authorized for scopes that
are there already.
"""

import re
import uuid
from typing import Any

from local.cloud.entra import Entra
from local.cloud.wire import CloudRequest, Reply, Route, Wire

Object = dict[str, Any]
_ROOT = "/graph/v1.0"


class Graph:
    """`objects` by collection and id."""

    def __init__(self, wire: Wire, entra: Entra) -> None:
        self._wire, self._entra = wire, entra
        self.objects: dict[str, dict[str, Object]] = {"applications": {}, "serviceprincipals": {}, "assigned": {}}
        all_, one = f"{_ROOT}/{{collection}}", f"{_ROOT}/{{collection}}/{{id}}"
        routes = [
            Route("GET", all_, self._list),
            Route("POST", all_, self._create),
            Route("GET", one, self._get),
            Route("PATCH", one, self._update),
            Route("GET", f"{one}/appRoleAssignedTo", self._assigned),
            Route("POST", f"{one}/appRoleAssignedTo", self._assign),
            Route("DELETE", one, self._delete),
            Route("POST", f"{_ROOT}/directoryObjects/getByIds", self._known),
        ]
        wire.mount(routes, guard=self._guard)

    def registered(self, resource: str) -> tuple[Object | None, Object | None]:
        """The application that is known by an app id or an identifier URI, and its service principal."""
        known = self.objects["applications"].values()
        app = next((each for each in known if resource in (each["appId"], *each.get("identifierUris", []))), None)
        services = self.objects["serviceprincipals"].values()
        return app, next((each for each in services if app and each["appId"] == app["appId"]), None)

    def roles(self, service: Object, principal_id: str) -> list[str]:
        """The values of a service's app roles that are assigned to somebody, by object id."""
        assigned = [each for each in self.objects["assigned"].values() if each["resourceId"] == service["id"]]
        held = {each["appRoleId"] for each in assigned if each["principalId"] == principal_id}
        return [role["value"] for role in service["appRoles"] if role["id"] in held]

    def _guard(self, call: CloudRequest) -> Reply | None:
        audience = f"{self._wire.url}/graph"
        if any(self._entra.caller(call, audience=audience + end) for end in ("", "/")):
            return None
        return _error(401, "InvalidAuthenticationToken", "Access token validation failure.")

    def _list(self, call: CloudRequest) -> Reply:
        found = list(self.objects[call.params["collection"].lower()].values())
        for name, value in re.findall(r"(\w+) eq '((?:[^']|'')*)'", call.query.get("$filter", "")):
            found = [each for each in found if each.get(name) == value.replace("''", "'")]
        return Reply(body={"value": found})

    def _create(self, call: CloudRequest) -> Reply:
        collection, id = call.params["collection"].lower(), str(uuid.uuid4())
        applications = self.objects["applications"].values()
        of = next((app for app in applications if app["appId"] == call.body.get("appId")), {"appId": str(uuid.uuid4())})
        shared: Object = {
            "appId": of["appId"],
            "appRoles": of.get("appRoles", []),
            "displayName": of.get("displayName"),
        }
        self.objects[collection][id] = {**shared, **call.body, "id": id}
        return Reply(status=201, body=self.objects[collection][id])

    def _get(self, call: CloudRequest) -> Reply:
        found = self._found(call)
        return Reply(body=found) if found else _error(404, "Request_ResourceNotFound", "Resource does not exist.")

    def _update(self, call: CloudRequest) -> Reply:
        found = self._found(call)
        if found is None:
            return _error(404, "Request_ResourceNotFound", "Resource does not exist.")
        allowed = f"api://{found['appId']}"
        if any(uri != allowed for uri in call.body.get("identifierUris", [])):
            return _error(
                400, "HostNameNotOnVerifiedDomain", "Values of identifierUris property must use a verified domain."
            )
        scopes = {scope["id"] for scope in found.get("api", {}).get("oauth2PermissionScopes", [])}
        allowed_apps = call.body.get("api", {}).get("preAuthorizedApplications", [])
        if any(not scopes.issuperset(each["delegatedPermissionIds"]) for each in allowed_apps):
            text = "Property api.preAuthorizedApplications has a permission id that the application doesn't define."
            return _error(400, "Request_BadRequest", text)
        found.update(call.body)
        for principal in self.objects["serviceprincipals"].values():
            if principal["appId"] == found["appId"] and "appRoles" in call.body:
                principal["appRoles"] = call.body["appRoles"]
        return Reply(status=204)

    def _delete(self, call: CloudRequest) -> Reply:
        removed = self.objects[call.params["collection"].lower()].pop(call.params["id"], {})
        principals = self.objects["serviceprincipals"]
        for id in [id for id, each in principals.items() if each["appId"] == removed.get("appId")]:
            del principals[id]
        return Reply(status=204)

    def _known(self, call: CloudRequest) -> Reply:
        known = {each.object_id for each in self._entra.principals.values()}
        return Reply(body={"value": [{"id": id} for id in call.body["ids"] if id in known]})

    def _assigned(self, call: CloudRequest) -> Reply:
        here = [each for each in self.objects["assigned"].values() if each["resourceId"] == call.params["id"]]
        return Reply(body={"value": here})

    def _assign(self, call: CloudRequest) -> Reply:
        assignment = {name: call.body[name] for name in ("principalId", "resourceId", "appRoleId")}
        if any(assignment.items() <= each.items() for each in self.objects["assigned"].values()):
            return _error(400, "Request_BadRequest", "Permission being assigned already exists on the object")
        id = str(uuid.uuid4())
        self.objects["assigned"][id] = {**assignment, "id": id}
        return Reply(status=201, body=self.objects["assigned"][id])

    def _found(self, call: CloudRequest) -> Object | None:
        return self.objects[call.params["collection"].lower()].get(call.params["id"])


def _error(status: int, code: str, message: str) -> Reply:
    return Reply(status=status, body={"error": {"code": code, "message": message}})
