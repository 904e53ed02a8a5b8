"""Tokens, policies, auth methods and binding rules of the datacenters that replicate them from one primary.

Rules:
- A login's token is of its datacenter alone, unless the method makes global ones.
- Methods and rules stay in the primary: a login elsewhere doesn't find them.
- Tokens that have expired or were given back are unknown at once.
"""

import json
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from local.cloud.clock import Clock
from local.cloud.consul.configuration import Configuration
from local.cloud.consul.errors import ConsulError, not_found
from local.cloud.consul.logins import Claims, Method, claims_of, fits, mapped
from local.cloud.consul.permissions import TokenPermissions


@dataclass(frozen=True)
class AclToken:
    """A token; `datacenter` is where it is known, empty for everywhere."""

    accessor: str
    secret: str
    policies: tuple[str, ...]
    description: str = ""
    datacenter: str = ""
    method: str = ""
    expires: float | None = None
    manages: bool = False

    @property
    def body(self) -> dict[str, Any]:
        """The token as a list shows it."""
        return {
            "AccessorID": self.accessor,
            "SecretID": self.secret,
            "Description": self.description,
            "Policies": [{"Name": name} for name in self.policies],
            "Local": bool(self.datacenter),
            **({"AuthMethod": self.method} if self.method else {}),
            **({"ExpirationTime": _text(self.expires)} if self.expires else {}),
        }


@dataclass
class AccessControl:
    """Who may do what; `management` is the secret of a token that may do everything.

    A login's token is unknown to the first `late` calls that come with it, as if other servers were behind.
    """

    clock: Clock
    verified: Callable[[str], Claims | None]
    management: str = field(default_factory=lambda: str(uuid.uuid4()))
    policies: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: dict[str, AclToken] = field(default_factory=dict)
    methods: dict[str, Method] = field(default_factory=dict)
    rules: dict[str, dict[str, Any]] = field(default_factory=dict)
    late: int = 0
    _unknown: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tokens[self.management] = AclToken(str(uuid.uuid4()), self.management, (), manages=True)

    def permissions(self, secret: str, datacenter: str) -> TokenPermissions:
        """What the holder of a token may do in a datacenter; raises ConsulError (403) for one that isn't known."""
        if not secret:
            return TokenPermissions("anonymous token", [])
        token = self.token(secret, datacenter)
        rules = [self.policies[name] for name in token.policies if name in self.policies]
        return TokenPermissions(f"token with AccessorID '{token.accessor}'", rules, all=token.manages)

    def token(self, secret: str, datacenter: str) -> AclToken:
        token = self.tokens.get(secret)
        if token is None or self._is_late(secret) or token.datacenter not in ("", datacenter):
            raise not_found("")
        if token.expires is not None and token.expires <= self.clock.time():
            raise not_found("")
        return token

    def _is_late(self, secret: str) -> bool:
        left = self._unknown.get(secret, 0)
        self._unknown[secret] = max(0, left - 1)
        return left > 0

    def login(self, body: Mapping[str, Any], datacenter: str, *, primary: bool) -> AclToken:
        """A token for the holder of an Entra token; raises ConsulError."""
        name = body.get("AuthMethod", "")
        method = self.methods.get(name) if primary else None
        if method is None:
            raise not_found(name, "auth method")
        values = mapped(method, claims_of(method, body.get("BearerToken", ""), self.verified, self.clock.time()))
        bound = [r["BindName"] for r in self.rules.values() if r["AuthMethod"] == name and fits(r, values)]
        policies = tuple(policy for policy in bound if policy in self.policies)
        if not policies:
            raise ConsulError("Permission denied", 403)
        noted = f": {json.dumps(body['Meta'])}" if body.get("Meta") else ""
        token = AclToken(
            accessor=str(uuid.uuid4()),
            secret=secrets.token_hex(16),
            policies=policies,
            description=f"token created via login{noted}",
            datacenter="" if method.is_global else datacenter,
            method=name,
            expires=self._expiry(method),
        )
        self.tokens[token.secret], self._unknown[token.secret] = token, self.late
        return token

    def _expiry(self, method: Method) -> float | None:
        text = method.body.get("MaxTokenTTL", "")
        lifetime = Configuration("", {"LeafCertTTL": text}).lifetime("LeafCertTTL") if text else None
        return None if lifetime is None else self.clock.time() + lifetime.total_seconds()

    def logout(self, secret: str, datacenter: str) -> None:
        """Give a login's token back; raises ConsulError (403) for any other."""
        token = self.token(secret, datacenter)
        if not token.method:
            raise ConsulError("Permission denied: token wasn't created via login", 403)
        del self.tokens[secret]

    def live(self) -> list[AclToken]:
        """The tokens that haven't expired."""
        now = self.clock.time()
        return [t for t in self.tokens.values() if t.expires is None or t.expires > now]

    def write_policy(self, body: Mapping[str, Any]) -> None:
        """Rules are taken in their JSON form only; a real server takes HCL too."""
        self.policies[body["Name"]] = json.loads(body["Rules"])

    def write_method(self, body: Mapping[str, Any]) -> None:
        self.methods[body["Name"]] = Method(body)

    def write_rule(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A policy that doesn't exist, and a claim that isn't mapped, are taken."""
        rule = {"ID": str(uuid.uuid4()), "Selector": "", **body}
        self.rules[rule["ID"]] = rule
        return rule

    def write_token(self, body: Mapping[str, Any]) -> AclToken:
        names = tuple(policy["Name"] for policy in body.get("Policies", []))
        token = AclToken(str(uuid.uuid4()), body.get("SecretID") or str(uuid.uuid4()), names)
        self.tokens[token.secret] = token
        return token


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
