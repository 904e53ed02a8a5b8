"""Key Vault's data plane on the wire: certificates, their keys and secrets, under `/vaults/<vault>/`.

Rules (seen in recorded traffic):
- A call without a token is answered with a challenge before anything else is looked at: clients send it without a body.
- The latest version has a trailing slash in its path and shows the policy; a given version doesn't.
- Ids are `https://<host>/keys/<name>/<version>`, as clients can only parse ids without a path before that; keys answer
  under such ids as well.
"""

import base64
import re
from collections.abc import Callable
from typing import Any

from local.cloud.clock import Clock
from local.cloud.entra import TENANT, Entra, Principal
from local.cloud.key_vault.bodies import Bodies, text64
from local.cloud.key_vault.certificates import Certificate, StoredVersion
from local.cloud.key_vault.rules import KeyVaultError, complete_policy
from local.cloud.key_vault.state import Publish
from local.cloud.key_vault.vault import Vault
from local.cloud.resources.permissions import Permissions
from local.cloud.wire import CloudRequest, Reply, Route, Wire

PAGE = 25
_VERBS = {"GET": "read", "PATCH": "update/action", "DELETE": "delete"}
_RETRY_AFTER = {"Retry-After": "10"}


class KeyVaults:
    """All vaults by name."""

    def __init__(self, clock: Clock, wire: Wire, entra: Entra, permissions: Permissions, publish: Publish) -> None:
        self._clock, self._entra, self._permissions, self._publish = clock, entra, permissions, publish
        self.vaults: dict[str, Vault] = {}
        self._bodies = Bodies(wire)
        certificate, pending = "/certificates/{name}", "/certificates/{name}/pending"
        deleted, key = "/deletedcertificates/{name}", "/keys/{name}/{version}"
        routes: dict[tuple[str, str], Callable[[Vault, CloudRequest], Reply]] = {
            ("POST", f"{certificate}/create"): self._create,
            ("GET", pending): self._get_pending,
            ("PATCH", pending): self._cancel,
            ("DELETE", pending): self._drop_pending,
            ("POST", f"{pending}/merge"): self._merge,
            ("GET", "/certificates"): self._list,
            ("GET", f"{certificate}/versions"): self._list_versions,
            ("GET", f"{certificate}/policy"): self._get_policy,
            ("PATCH", f"{certificate}/policy"): self._update_policy,
            ("GET", f"{certificate}/"): self._get,
            ("GET", f"{certificate}/{{version}}"): self._get,
            ("PATCH", f"{certificate}/"): self._update,
            ("PATCH", f"{certificate}/{{version}}"): self._update,
            ("DELETE", certificate): self._delete,
            ("GET", "/deletedcertificates"): self._list_deleted,
            ("GET", deleted): self._get_deleted,
            ("POST", f"{deleted}/recover"): self._recover,
            ("DELETE", deleted): self._purge,
            ("GET", "/keys/{name}/"): self._get_key,
            ("GET", key): self._get_key,
            ("PATCH", key): self._update_key,
            ("POST", f"{key}/sign"): self._sign,
            ("GET", "/secrets/{name}/{version}"): self._get_secret,
        }
        in_vaults = [
            Route(method, f"/vaults/{{vault}}{path}", self._answer(to)) for (method, path), to in routes.items()
        ]
        by_id = [Route("GET", key, self._answer(self._get_key)), Route("POST", f"{key}/sign", self._answer(self._sign))]
        wire.mount([*in_vaults, *by_id], guard=self._guard)

    def add(self, name: str) -> Vault:
        """A new, empty vault at `<wire>/vaults/<name>`; its events go to the topic `keyvault-<name>`."""
        vault = self.vaults[name.lower()] = Vault(self._clock, self._publish, name)
        return vault

    def _guard(self, call: CloudRequest) -> Reply | None:
        if caller := self._entra.caller(call, audience="https://vault.azure.net"):
            return self._forbidden(caller, call)
        missing = "AKV10000: Request is missing a Bearer or PoP token."
        refused = _error(401, "Unauthorized", "AKV10022: Invalid audience or token." if call.token else missing)
        challenge = (
            f'Bearer authorization="https://login.microsoftonline.com/{TENANT}", resource="https://vault.azure.net"'
        )
        return Reply(status=401, body=refused.body, headers={"WWW-Authenticate": challenge})

    def _forbidden(self, caller: Principal, call: CloudRequest) -> Reply | None:
        try:
            vault = self._vault(call)
        except KeyVaultError:
            return None  # an absent vault is answered by its 404
        action = data_action(call)
        if caller.object_id not in vault.denied and self._permissions.allows(caller, action, vault.id):
            return None
        text = (
            f"Caller is not authorized to perform action on resource.\r\nAction: '{action}'\r\nResource: '{vault.id}'"
        )
        return _error(403, "Forbidden", text, "ForbiddenByRbac")

    def _answer(self, handler: Callable[[Vault, CloudRequest], Reply]) -> Callable[[CloudRequest], Reply]:
        def answer(call: CloudRequest) -> Reply:
            try:
                return handler(self._vault(call), call)
            except KeyVaultError as refused:
                return _error(refused.status, refused.code, refused.message, refused.inner)

        return answer

    def _vault(self, call: CloudRequest) -> Vault:
        if "vault" in call.params:
            vault = self.vaults.get(call.params["vault"].lower())
        else:  # version ids are unique
            name, version = call.params["name"].lower(), call.params["version"]
            owners = (v for v in self.vaults.values() if name in v.certificates)
            vault = next((v for v in owners if v.certificates[name].version(version)), None)
        if vault is None:
            raise KeyVaultError(404, "VaultNotFound", "There is no such vault.")
        return vault

    # requests

    def _create(self, vault: Vault, call: CloudRequest) -> Reply:
        name, body = call.params["name"], call.body or {}
        former = vault.certificates.get(name.lower())
        policy = complete_policy(body.get("policy") or {}, former.policy if former else None)
        pending = vault.create(name, policy, body.get("tags") or {})
        query = f"?api-version={call.query.get('api-version', '')}&request_id={pending.request_id}"
        location = {"Location": f"{call.url.split('/create')[0]}/pending{query}"}
        return Reply(status=202, body=self._bodies.pending(name, pending), headers=location | _RETRY_AFTER)

    def _get_pending(self, vault: Vault, call: CloudRequest) -> Reply:
        pending = vault.pending(call.params["name"])
        headers = _RETRY_AFTER if pending.status == "inProgress" else {}
        return Reply(body=self._bodies.pending(call.params["name"], pending), headers=headers)

    def _cancel(self, vault: Vault, call: CloudRequest) -> Reply:
        return Reply(body=self._bodies.pending(call.params["name"], vault.cancel(call.params["name"])))

    def _drop_pending(self, vault: Vault, call: CloudRequest) -> Reply:
        return Reply(body=self._bodies.pending(call.params["name"], vault.drop_pending(call.params["name"])))

    def _merge(self, vault: Vault, call: CloudRequest) -> Reply:
        body = call.body or {}
        chain = [base64.b64decode(element) for element in body.get("x5c") or []]
        enabled = (body.get("attributes") or {}).get("enabled", True)
        certificate = vault.merge(call.params["name"], chain, enabled=enabled, tags=body.get("tags") or {})
        location = f"{self._bodies.id('certificates', certificate)}?api-version={call.query.get('api-version', '')}"
        return Reply(status=201, body=self._bodies.certificate(certificate), headers={"Location": location})

    # certificates

    def _get(self, vault: Vault, call: CloudRequest) -> Reply:
        certificate = vault.certificate(call.params["name"])
        return Reply(body=self._bodies.certificate(certificate, self._asked_version(certificate, call)))

    def _update(self, vault: Vault, call: CloudRequest) -> Reply:
        certificate, body = vault.certificate(call.params["name"]), call.body or {}
        asked = self._asked_version(certificate, call)
        version = asked or certificate.current
        enabled = (body.get("attributes") or {}).get("enabled")
        if enabled is not None:
            version.enabled = version.key_enabled = enabled
        version.tags = body.get("tags", version.tags)
        version.updated = vault.now
        return Reply(body=self._bodies.certificate(certificate, asked))

    def _asked_version(self, certificate: Certificate, call: CloudRequest) -> StoredVersion | None:
        """The version in the call's path, None for the latest."""
        id = call.params.get("version")
        found = certificate.version(id) if id else None
        if id and found is None:
            path = f"{certificate.name}/versions/{id}"
            raise KeyVaultError(
                404, "CertificateNotFound", f"A certificate with (name/id) {path} was not found in this key vault."
            )
        return found

    def _list(self, vault: Vault, call: CloudRequest) -> Reply:
        listed = [c for c in vault.certificates.values() if c.visible_from <= self._clock.time()]
        pending_too = call.query.get("includePending") == "true"
        return self._page(call, [self._bodies.listed(c) for c in listed if c.current.certificate or pending_too])

    def _list_versions(self, vault: Vault, call: CloudRequest) -> Reply:
        certificate = vault.certificate(call.params["name"])
        issued = [version for version in certificate.versions if version.certificate]
        return self._page(call, [self._bodies.listed(certificate, version) for version in issued])

    def _get_policy(self, vault: Vault, call: CloudRequest) -> Reply:
        return Reply(body=self._bodies.policy(vault.certificate(call.params["name"])))

    def _update_policy(self, vault: Vault, call: CloudRequest) -> Reply:
        certificate = vault.certificate(call.params["name"])
        certificate.policy = complete_policy(call.body or {}, certificate.policy)
        certificate.policy_updated = vault.now
        return Reply(body=self._bodies.policy(certificate))

    # soft delete

    def _delete(self, vault: Vault, call: CloudRequest) -> Reply:
        return Reply(body=self._bodies.deleted(vault.delete(call.params["name"])))

    def _get_deleted(self, vault: Vault, call: CloudRequest) -> Reply:
        return Reply(body=self._bodies.deleted(vault.deleted_certificate(call.params["name"])))

    def _list_deleted(self, vault: Vault, call: CloudRequest) -> Reply:
        shown = [c for c in vault.deleted.values() if c.visible_from <= self._clock.time()]
        return self._page(call, [self._bodies.listed_deleted(certificate) for certificate in shown])

    def _recover(self, vault: Vault, call: CloudRequest) -> Reply:
        return Reply(body=self._bodies.certificate(vault.recover(call.params["name"])))

    def _purge(self, vault: Vault, call: CloudRequest) -> Reply:
        vault.purge(call.params["name"])
        return Reply(status=204)

    # keys and secrets

    def _get_key(self, vault: Vault, call: CloudRequest) -> Reply:
        return Reply(body=self._bodies.key(*vault.key(call.params["name"], call.params.get("version", ""))))

    def _update_key(self, vault: Vault, call: CloudRequest) -> Reply:
        certificate, version = vault.key(call.params["name"], call.params["version"])
        version.key_enabled = (call.body.get("attributes") or {}).get("enabled", version.key_enabled)
        version.updated = vault.now
        return Reply(body=self._bodies.key(certificate, version))

    def _sign(self, vault: Vault, call: CloudRequest) -> Reply:
        name, id = call.params["name"], call.params["version"]
        signature = vault.sign(name, id, _bytes64(call.body["value"]), str(call.body.get("alg")))
        certificate, version = vault.key(name, id)
        return Reply(body={"kid": self._bodies.id("keys", certificate, version), "value": text64(signature)})

    def _get_secret(self, vault: Vault, call: CloudRequest) -> Reply:
        certificate, version = vault.key(call.params["name"], call.params["version"])
        if not version.enabled:
            raise KeyVaultError(
                403, "Forbidden", "Operation get is not allowed on a disabled secret.", "SecretDisabled"
            )
        return Reply(body=self._bodies.secret(certificate, version))

    def _page(self, call: CloudRequest, items: list[dict[str, Any]]) -> Reply:
        start = int(call.query.get("$skiptoken", 0))
        size = int(call.query.get("maxresults", PAGE))
        base, api = call.url.split("?")[0], call.query.get("api-version", "")
        pending = "&includePending=true" if call.query.get("includePending") == "true" else ""
        link = f"{base}?api-version={api}&$skiptoken={start + size}&maxresults={size}{pending}"
        more = start + size < len(items)
        return Reply(body={"value": items[start : start + size], "nextLink": link if more else None})


def data_action(call: CloudRequest) -> str:
    """The data action that a request asks for, such as Microsoft.KeyVault/vaults/keys/sign/action.

    Who may create a certificate may merge it (Key Vault's REST reference).
    """
    things, *rest = re.sub("^/vaults/[^/]+", "", call.path).strip("/").split("/")
    verb = _VERBS.get(call.method) or f"{'create' if rest[-1] == 'merge' else rest[-1]}/action"
    if things.startswith("deleted") and call.method == "DELETE":
        verb = "purge/action"
    return f"Microsoft.KeyVault/vaults/{things.removeprefix('deleted')}/{verb}"


def _bytes64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _error(status: int, code: str, message: str, inner: str | None = None) -> Reply:
    detail = {"innererror": {"code": inner}} if inner else {}
    headers = _RETRY_AFTER if status == 429 else {}
    return Reply(status=status, body={"error": {"code": code, "message": message, **detail}}, headers=headers)
