"""User-assigned identities and their federated credentials.

Rules:
- Both are written synchronously: 201 if new, else 200; Location is a relative path (seen in recorded traffic).
- An identity has at most 20 federated credentials, each with an issuer and subject of its own (Entra limits).
"""

from typing import Any

from local.cloud.arm import REGION, SUBSCRIPTION, Arm, Resource, error, not_found
from local.cloud.entra import TENANT, Entra
from local.cloud.resources.resource_groups import ResourceGroups
from local.cloud.wire import CloudRequest, Reply, Route

TYPE = "Microsoft.ManagedIdentity/userAssignedIdentities"
CREDENTIAL_TYPE = f"{TYPE}/federatedIdentityCredentials"
_MAX_CREDENTIALS = 20
_GROUP = "/subscriptions/{subscription}/resourceGroups/{group}"
_IDENTITY = f"{_GROUP}/providers/{TYPE}/{{identity}}"
_CREDENTIAL = f"{_IDENTITY}/federatedIdentityCredentials/{{name}}"


class Identities:
    def __init__(self, arm: Arm, entra: Entra, groups: ResourceGroups) -> None:
        self._arm, self._entra, self._groups = arm, entra, groups
        routes = [
            Route("GET", f"/subscriptions/{{subscription}}/providers/{TYPE}", arm.list_of(TYPE)),
            Route("GET", f"{_GROUP}/providers/{TYPE}", arm.list_of(TYPE)),
            Route("PUT", _IDENTITY, self._put),
            Route("GET", _IDENTITY, arm.get),
            Route("DELETE", _IDENTITY, self._delete),
            Route("GET", f"{_IDENTITY}/federatedIdentityCredentials", arm.list_of(CREDENTIAL_TYPE)),
            Route("PUT", _CREDENTIAL, self._put_credential),
            Route("GET", _CREDENTIAL, arm.get),
            Route("DELETE", _CREDENTIAL, self._delete),
        ]
        arm.wire.mount(routes, guard=arm.guard)

    def add(self, name: str, *, group: str = "rg-identities", tags: dict[str, str] | None = None) -> Resource:
        """Make an identity exist in a group that is made if need be; an existing one keeps its principal."""
        self._groups.add(group)
        return self._ensure(f"/subscriptions/{SUBSCRIPTION}/resourcegroups/{group}", name, {"tags": tags or {}})

    def _ensure(self, group: str, name: str, body: dict[str, Any]) -> Resource:
        id = f"{group}/providers/{TYPE}/{name}"
        existing = self._arm.find(id)
        if existing:
            return self._arm.store(existing | {"tags": body.get("tags", existing["tags"])})
        principal = self._entra.add(name)
        return self._arm.store(
            {
                "id": id,
                "name": name,
                "type": TYPE,
                "location": body.get("location", REGION),
                "tags": body.get("tags", {}),
                "properties": {
                    "tenantId": TENANT,
                    "principalId": principal.object_id,
                    "clientId": principal.client_id,
                },
            }
        )

    def _put(self, call: CloudRequest) -> Reply:
        existing = self._arm.find(call.path)
        group = f"/subscriptions/{call.params['subscription']}/resourcegroups/{call.params['group']}"
        identity = self._ensure(group, call.params["identity"], call.body)
        return Reply(body=identity) if existing else Reply(status=201, body=identity, headers=_location(identity))

    def _delete(self, call: CloudRequest) -> Reply:
        gone = self._arm.remove(call.path)
        if gone is None:
            return Reply(status=204)
        for credential in self._arm.of_type(CREDENTIAL_TYPE, under=f"{call.path}/"):
            self._arm.remove(credential["id"])
        self._entra.principals.pop(gone["properties"].get("clientId", ""), None)
        return Reply()

    def _put_credential(self, call: CloudRequest) -> Reply:
        identity = self._arm.find(call.path.rsplit("/", 2)[0])
        if identity is None:
            return not_found(call)
        refused = self._refuse_credential(call, identity)
        if refused:
            return refused
        existing = self._arm.find(call.path)
        credential = self._arm.store(
            {
                "id": f"{identity['id']}/federatedIdentityCredentials/{call.params['name']}",
                "name": call.params["name"],
                "type": CREDENTIAL_TYPE,
                "properties": call.body["properties"],
            }
        )
        return Reply(body=credential) if existing else Reply(status=201, body=credential, headers=_location(credential))

    def _refuse_credential(self, call: CloudRequest, identity: Resource) -> Reply | None:
        all_of_it = self._arm.of_type(CREDENTIAL_TYPE, under=f"{identity['id']}/")
        others = [c["properties"] for c in all_of_it if c["id"].lower() != call.path.lower()]
        credential = call.body["properties"]
        if any((o["issuer"], o["subject"]) == (credential["issuer"], credential["subject"]) for o in others):
            return error(409, "Conflict", "Issuer and subject combination already exists for this Managed Identity.")
        if len(others) >= _MAX_CREDENTIALS:
            return error(400, "BadRequest", f"A managed identity has at most {_MAX_CREDENTIALS} federated credentials.")
        return None


def _location(resource: Resource) -> dict[str, str]:
    return {"Location": resource["id"]}
