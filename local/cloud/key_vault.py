"""Key Vault's data plane on the wire: certificates, their keys and secrets, under `/vaults/<vault>/`.

Rules (seen in recorded traffic):
- A call without a token is answered with a challenge before anything else is looked at: clients send it without a body.
- The latest version has a trailing slash in its path and shows the policy; a given version doesn't.
- Ids are `https://<host>/keys/<name>/<version>`, as clients can only parse ids without a path before that; keys answer
  under such ids as well.
"""

import base64
import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.serialization import pkcs12

from local.cloud.arm import TENANT
from local.cloud.vault import RETENTION_SECONDS, Certificate, Pending, Vault, Version
from local.cloud.vault_rules import Refused, complete_policy
from local.cloud.wire import Call, Reply, Route

if TYPE_CHECKING:
    from local.cloud.world import World

PAGE = 25
_RETRY_AFTER = {"Retry-After": "10"}
_RECOVERY = {"recoveryLevel": "CustomizedRecoverable+Purgeable", "recoverableDays": RETENTION_SECONDS // 86_400}
_IN_PROGRESS = (
    "Pending certificate created. Certificate request is in progress. This may take some time based on the issuer "
    "provider. Please check again later."
)


class KeyVaults:
    """All vaults by name."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.vaults: dict[str, Vault] = {}
        certificate, pending = "/certificates/{name}", "/certificates/{name}/pending"
        deleted, key = "/deletedcertificates/{name}", "/keys/{name}/{version}"
        routes: dict[tuple[str, str], Callable[[Vault, Call], Reply]] = {
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
        world.wire.mount([*in_vaults, *by_id], guard=self._guard)

    def add(self, name: str) -> Vault:
        """A new, empty vault at `<wire>/vaults/<name>`; its events go to the topic `keyvault-<name>`."""
        vault = self.vaults[name.lower()] = Vault(self.world, name)
        return vault

    def _guard(self, call: Call) -> Reply | None:
        if self.world.entra.caller(call, audience="https://vault.azure.net"):
            return None
        missing = "AKV10000: Request is missing a Bearer or PoP token."
        refused = _error(401, "Unauthorized", "AKV10022: Invalid audience or token." if call.token else missing)
        challenge = (
            f'Bearer authorization="https://login.microsoftonline.com/{TENANT}", resource="https://vault.azure.net"'
        )
        return Reply(status=401, body=refused.body, headers={"WWW-Authenticate": challenge})

    def _answer(self, handler: Callable[[Vault, Call], Reply]) -> Callable[[Call], Reply]:
        def answer(call: Call) -> Reply:
            try:
                return handler(self._vault(call), call)
            except Refused as refused:
                return _error(refused.status, refused.code, refused.message, refused.inner)

        return answer

    def _vault(self, call: Call) -> Vault:
        if "vault" in call.params:
            vault = self.vaults.get(call.params["vault"].lower())
        else:  # version ids are unique
            name, version = call.params["name"].lower(), call.params["version"]
            owners = (v for v in self.vaults.values() if name in v.certificates)
            vault = next((v for v in owners if v.certificates[name].version(version)), None)
        if vault is None:
            raise Refused(404, "VaultNotFound", "There is no such vault.")
        return vault

    # requests

    def _create(self, vault: Vault, call: Call) -> Reply:
        name, body = call.params["name"], call.body or {}
        former = vault.certificates.get(name.lower())
        policy = complete_policy(body.get("policy") or {}, former.policy if former else None)
        pending = vault.create(name, policy, body.get("tags") or {})
        query = f"?api-version={call.query.get('api-version', '')}&request_id={pending.request_id}"
        location = {"Location": f"{call.url.split('/create')[0]}/pending{query}"}
        return Reply(status=202, body=self._pending_body(name, pending), headers=location | _RETRY_AFTER)

    def _get_pending(self, vault: Vault, call: Call) -> Reply:
        pending = vault.pending(call.params["name"])
        headers = _RETRY_AFTER if pending.status == "inProgress" else {}
        return Reply(body=self._pending_body(call.params["name"], pending), headers=headers)

    def _cancel(self, vault: Vault, call: Call) -> Reply:
        return Reply(body=self._pending_body(call.params["name"], vault.cancel(call.params["name"])))

    def _drop_pending(self, vault: Vault, call: Call) -> Reply:
        return Reply(body=self._pending_body(call.params["name"], vault.drop_pending(call.params["name"])))

    def _merge(self, vault: Vault, call: Call) -> Reply:
        body = call.body or {}
        chain = [base64.b64decode(element) for element in body.get("x5c") or []]
        enabled = (body.get("attributes") or {}).get("enabled", True)
        certificate = vault.merge(call.params["name"], chain, enabled=enabled, tags=body.get("tags") or {})
        location = f"{self._id('certificates', certificate)}?api-version={call.query.get('api-version', '')}"
        return Reply(status=201, body=self._bundle(certificate), headers={"Location": location})

    # certificates

    def _get(self, vault: Vault, call: Call) -> Reply:
        certificate = vault.certificate(call.params["name"])
        return Reply(body=self._bundle(certificate, self._asked_version(certificate, call)))

    def _update(self, vault: Vault, call: Call) -> Reply:
        certificate, body = vault.certificate(call.params["name"]), call.body or {}
        asked = self._asked_version(certificate, call)
        version = asked or certificate.current
        enabled = (body.get("attributes") or {}).get("enabled")
        if enabled is not None:
            version.enabled = version.key_enabled = enabled
        version.tags = body.get("tags", version.tags)
        version.updated = vault.now
        return Reply(body=self._bundle(certificate, asked))

    def _asked_version(self, certificate: Certificate, call: Call) -> Version | None:
        """The version in the call's path, None for the latest."""
        id = call.params.get("version")
        found = certificate.version(id) if id else None
        if id and found is None:
            path = f"{certificate.name}/versions/{id}"
            raise Refused(
                404, "CertificateNotFound", f"A certificate with (name/id) {path} was not found in this key vault."
            )
        return found

    def _list(self, vault: Vault, call: Call) -> Reply:
        pending_too = call.query.get("includePending") == "true"
        now = self.world.clock.time()
        shown = [
            c for c in vault.certificates.values() if c.visible_from <= now and (c.current.certificate or pending_too)
        ]
        items = [{"id": self._id("certificates", c), **self._item(c.current)} for c in shown]
        return self._page(call, [{**item, "subject": ""} for item in items])

    def _list_versions(self, vault: Vault, call: Call) -> Reply:
        certificate = vault.certificate(call.params["name"])
        issued = [version for version in certificate.versions if version.certificate]
        return self._page(
            call, [{"id": self._id("certificates", certificate, v), **self._item(v), "subject": ""} for v in issued]
        )

    def _get_policy(self, vault: Vault, call: Call) -> Reply:
        return Reply(body=self._policy(vault.certificate(call.params["name"])))

    def _update_policy(self, vault: Vault, call: Call) -> Reply:
        certificate = vault.certificate(call.params["name"])
        certificate.policy = complete_policy(call.body or {}, certificate.policy)
        certificate.policy_updated = vault.now
        return Reply(body=self._policy(certificate))

    # soft delete

    def _delete(self, vault: Vault, call: Call) -> Reply:
        return Reply(body=self._deleted_bundle(vault.delete(call.params["name"])))

    def _get_deleted(self, vault: Vault, call: Call) -> Reply:
        return Reply(body=self._deleted_bundle(vault.deleted_certificate(call.params["name"])))

    def _list_deleted(self, vault: Vault, call: Call) -> Reply:
        shown = [c for c in vault.deleted.values() if c.visible_from <= self.world.clock.time()]
        attributes = [{"attributes": _attributes(c.current) | _RECOVERY} for c in shown]
        items = [
            self._deletion(c) | {"id": self._id("certificates", c)} | self._item(c.current) | more
            for c, more in zip(shown, attributes, strict=True)
        ]
        return self._page(call, items)

    def _recover(self, vault: Vault, call: Call) -> Reply:
        return Reply(body=self._bundle(vault.recover(call.params["name"])))

    def _purge(self, vault: Vault, call: Call) -> Reply:
        vault.purge(call.params["name"])
        return Reply(status=204)

    # keys and secrets

    def _get_key(self, vault: Vault, call: Call) -> Reply:
        return Reply(body=self._key_bundle(*vault.key(call.params["name"], call.params.get("version", ""))))

    def _update_key(self, vault: Vault, call: Call) -> Reply:
        certificate, version = vault.key(call.params["name"], call.params["version"])
        version.key_enabled = (call.body.get("attributes") or {}).get("enabled", version.key_enabled)
        version.updated = vault.now
        return Reply(body=self._key_bundle(certificate, version))

    def _sign(self, vault: Vault, call: Call) -> Reply:
        name, id = call.params["name"], call.params["version"]
        if call.body.get("alg") != "ES256":
            raise Refused(400, "BadParameter", "Key and signing algorithm are incompatible: P-256 signs with ES256.")
        signature = vault.sign(name, id, _bytes64(call.body["value"]))
        certificate, version = vault.key(name, id)
        return Reply(body={"kid": self._id("keys", certificate, version), "value": _text64(signature)})

    def _get_secret(self, vault: Vault, call: Call) -> Reply:
        certificate, version = vault.key(call.params["name"], call.params["version"])
        if not version.enabled:
            raise Refused(403, "Forbidden", "Operation get is not allowed on a disabled secret.", "SecretDisabled")
        kind = certificate.policy["secret_props"]["contentType"]
        exportable = bool(certificate.policy["key_props"]["exportable"])
        return Reply(
            body={
                "value": _secret(version, kind, exportable=exportable),
                "contentType": kind,
                "id": self._id("secrets", certificate, version),
                "managed": True,
                "attributes": _attributes(version) | _RECOVERY,
                "kid": self._id("keys", certificate, version),
            }
        )

    # bodies

    def _id(self, kind: str, certificate: Certificate, version: Version | None = None) -> str:
        return f"{self.world.wire.url}/{kind}/{certificate.name}" + (f"/{version.id}" if version else "")

    def _bundle(self, certificate: Certificate, asked: Version | None = None) -> dict[str, Any]:
        version = asked or certificate.current
        issued = {
            "kid": self._id("keys", certificate, version),
            "sid": self._id("secrets", certificate, version),
            "x5t": _thumbprint(version),
            "cer": base64.b64encode(version.der).decode(),
        }
        pending = {"pending": {"id": f"{self._id('certificates', certificate)}/pending"}} if certificate.pending else {}
        return {
            "id": self._id("certificates", certificate, version),
            **(issued if version.certificate else {}),
            "attributes": _attributes(version) | _RECOVERY,
            **({"tags": version.tags} if version.tags else {}),
            **({} if asked else {"policy": self._policy(certificate), **pending}),
        }

    def _item(self, version: Version) -> dict[str, Any]:
        return {
            **({"x5t": _thumbprint(version)} if version.certificate else {}),
            "attributes": _attributes(version),
            **({"tags": version.tags} if version.tags else {}),
        }

    def _policy(self, certificate: Certificate) -> dict[str, Any]:
        times = {"created": _seconds(certificate.created), "updated": _seconds(certificate.policy_updated)}
        return {
            "id": f"{self._id('certificates', certificate)}/policy",
            **certificate.policy,
            "attributes": {"enabled": True, **times},
        }

    def _pending_body(self, name: str, pending: Pending) -> dict[str, Any]:
        id = f"{self.world.wire.url}/certificates/{name}"
        more = {"inProgress": {"status_details": _IN_PROGRESS}, "completed": {"target": id}}
        return {
            "id": f"{id}/pending",
            "issuer": pending.issuer,
            "csr": base64.b64encode(pending.csr).decode(),
            "cancellation_requested": pending.cancellation_requested,
            "status": pending.status,
            **more.get(pending.status, {}),
            "request_id": pending.request_id,
        }

    def _deleted_bundle(self, certificate: Certificate) -> dict[str, Any]:
        return self._deletion(certificate) | self._bundle(certificate)

    def _deletion(self, certificate: Certificate) -> dict[str, Any]:
        deleted = int(certificate.deleted or 0)
        return {
            "recoveryId": f"{self.world.wire.url}/deletedcertificates/{certificate.name}",
            "deletedDate": deleted,
            "scheduledPurgeDate": deleted + RETENTION_SECONDS,
        }

    def _key_bundle(self, certificate: Certificate, version: Version) -> dict[str, Any]:
        numbers, props = version.key.public_key().public_numbers(), certificate.policy["key_props"]
        attributes = _attributes(version) | {"enabled": version.key_enabled, "exportable": bool(props["exportable"])}
        return {
            "key": {
                "kid": self._id("keys", certificate, version),
                "kty": props["kty"],
                "key_ops": ["sign", "verify"],
                "crv": "P-256",
                "x": _text64(numbers.x.to_bytes(32)),
                "y": _text64(numbers.y.to_bytes(32)),
            },
            "attributes": attributes | _RECOVERY | {"hsmPlatform": "0"},
            **({"tags": version.tags} if version.tags else {}),
            "managed": True,
        }

    def _page(self, call: Call, items: list[dict[str, Any]]) -> Reply:
        start = int(call.query.get("$skiptoken", 0))
        size = int(call.query.get("maxresults", PAGE))
        base, api = call.url.split("?")[0], call.query.get("api-version", "")
        pending = "&includePending=true" if call.query.get("includePending") == "true" else ""
        link = f"{base}?api-version={api}&$skiptoken={start + size}&maxresults={size}{pending}"
        more = start + size < len(items)
        return Reply(body={"value": items[start : start + size], "nextLink": link if more else None})


def _attributes(version: Version) -> dict[str, Any]:
    return {
        "enabled": version.enabled,
        "nbf": _seconds(version.not_before),
        "exp": _seconds(version.expires),
        "created": _seconds(version.created),
        "updated": _seconds(version.updated),
    }


def _secret(version: Version, kind: str, *, exportable: bool) -> str:
    """The certificate, with its private key only if that is exportable."""
    assert version.certificate is not None
    if kind == "application/x-pkcs12":
        key = version.key if exportable else None
        plain = pem.NoEncryption()
        return base64.b64encode(
            pkcs12.serialize_key_and_certificates(None, key, version.certificate, None, plain)
        ).decode()
    text = version.certificate.public_bytes(pem.Encoding.PEM)
    form = (pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption())
    return ((version.key.private_bytes(*form) if exportable else b"") + text).decode()


def _thumbprint(version: Version) -> str:
    return _text64(hashlib.sha1(version.der).digest())


def _seconds(when: datetime) -> int:
    return int(when.timestamp())


def _text64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _error(status: int, code: str, message: str, inner: str | None = None) -> Reply:
    detail = {"innererror": {"code": inner}} if inner else {}
    headers = _RETRY_AFTER if status == 429 else {}
    return Reply(status=status, body={"error": {"code": code, "message": message, **detail}}, headers=headers)
