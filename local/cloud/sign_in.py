"""Entra ID's token endpoint as the Azure CLI uses it for somebody who signs in by a device code, and what it refuses.

Rules (Entra's error codes):
- A resource is known by the app id or an identifier URI of a registration that has a service principal: AADSTS500011.
- A client that the registration hasn't authorized beforehand needs consent, which nobody gives here: AADSTS65001.
- Where the service principal asks for an assignment, whoever has none gets no token: AADSTS50105.
- A token of version 2 names the bare app id, and the values of the app roles that are assigned.
"""

import base64
import json
from typing import Any
from urllib.parse import parse_qs

import jwt

from local.cloud.entra import TENANT, Entra, Principal
from local.cloud.graph import Graph, Object
from local.cloud.wire import CloudRequest, Reply, Route, Wire

_ARM = "https://management.azure.com"


class SignIn:
    """`user` is whoever enters the code, at once."""

    def __init__(self, wire: Wire, entra: Entra, graph: Graph, user: Principal) -> None:
        self._wire, self._entra, self._graph, self.user = wire, entra, graph, user
        self._scope = ""
        routes = [
            Route("POST", "/{tenant}/oauth2/v2.0/devicecode", self._code),
            Route("POST", "/{tenant}/oauth2/v2.0/token", self._token),
        ]
        wire.mount(routes)

    def _code(self, call: CloudRequest) -> Reply:
        self._scope = _asked(call)["scope"]
        code = {"device_code": "d", "user_code": "U", "verification_uri": f"{self._wire.url}/devicelogin"}
        return Reply(body={**code, "expires_in": 900, "interval": 1, "message": "Enter the code U."})

    def _token(self, call: CloudRequest) -> Reply:
        asked = _asked(call)
        scopes = (asked.get("scope") or self._scope).split()
        resource = next(each.removesuffix("/.default") for each in scopes if each.endswith("/.default"))
        return self._issue(self.user, asked["client_id"], resource)

    def _issue(self, user: Principal, client: str, resource: str) -> Reply:
        if resource.rstrip("/") in (_ARM, f"{self._wire.url}/graph"):
            return self._issued(user, client, resource.rstrip("/"), [])
        app, service = self._graph.registered(resource)
        if not app or not service:
            text = f"The resource principal named {resource} was not found in the tenant named Contoso."
            return _refused("invalid_resource", 500011, text)
        allowed = app.get("api", {}).get("preAuthorizedApplications", [])
        if not any(each["appId"] == client and each["delegatedPermissionIds"] for each in allowed):
            text = f"The user or administrator has not consented to use the application with ID '{client}'."
            return _refused("invalid_grant", 65001, text, suberror="consent_required")
        roles = self._graph.roles(service, user.object_id)
        if service.get("appRoleAssignmentRequired") and not roles:
            text = f"Your administrator has configured the application '{app['appId']}' to block users without a role."
            return _refused("invalid_grant", 50105, text)
        return self._issued(user, client, app["appId"], roles)

    def _issued(self, user: Principal, client: str, audience: str, roles: list[str]) -> Reply:
        told: Object = {"uid": user.object_id, "utid": TENANT}
        known = {"preferred_username": user.name, "iss": self._entra.issuer, "aud": client, "tid": TENANT}
        expires = int(self._wire.clock.time()) + 3600
        return Reply(
            body={
                "token_type": "Bearer",
                "expires_in": 3600,
                "access_token": self._entra.token(user, audience, roles=roles, scp="access"),
                "refresh_token": "r",
                "client_info": base64.urlsafe_b64encode(json.dumps(told).encode()).decode(),
                "id_token": jwt.encode(
                    {**known, "sub": user.object_id, "oid": user.object_id, "exp": expires}, "k" * 32
                ),
            }
        )


def _asked(call: CloudRequest) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(call.content.decode()).items()}


def _refused(error: str, code: int, text: str, **more: Any) -> Reply:
    return Reply(
        status=400,
        body={"error": error, "error_description": f"AADSTS{code}: {text}", "error_codes": [code], **more},
    )
