"""Logins by Entra token: an auth method of type jwt checks it, binding rules say what it is given.

Rules (seen on real agents):
- A token of another audience or issuer, expired or with a foreign signature is refused with 500 and a text; one that no
  rule fits with 403. A rule whose policy doesn't exist gives nothing.
- Of the leeways, the clock skew of 60 seconds alone helps a token that says when it expires.
- Rules add up. A claim that isn't mapped is empty in selectors.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local.cloud.consul.errors import ConsulError

_SKEW, _LEEWAY = 60.0, 150.0
_TERM = re.compile(r'value\.(\w+)\s*==\s*"([^"]*)"')
_FAILED = "error validating token: validation failed"

type Claims = Mapping[str, Any]


@dataclass(frozen=True)
class Method:
    """An auth method as it was written."""

    body: Mapping[str, Any]

    @property
    def config(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.body["Config"]
        return found

    @property
    def is_global(self) -> bool:
        return bool(self.body.get("TokenLocality") == "global")


def claims_of(method: Method, token: str, verified: Callable[[str], Claims | None], now: float) -> Claims:
    """What a token says that this method takes; raises ConsulError. `verified` reads it if its signature holds."""
    if not token:
        raise ConsulError("missing jwt")
    if token.count(".") != 2:  # header, claims, signature
        raise ConsulError("error verifying token: oidc: malformed jwt")
    claims = verified(token)
    if claims is None:
        raise ConsulError("error verifying token: failed to verify signature: failed to verify id token signature")
    config = method.config
    if claims["iss"] != (config.get("OIDCDiscoveryURL") or config.get("BoundIssuer") or claims["iss"]):
        raise ConsulError(f"{_FAILED}, invalid issuer claim (iss)")
    if now > claims["exp"] + _SKEW:
        raise ConsulError(f"{_FAILED}, token is expired (exp)")
    if now < claims["nbf"] - _SKEW - _LEEWAY:
        raise ConsulError(f"{_FAILED}, token not valid yet (nbf)")
    audiences = config.get("BoundAudiences") or []
    if audiences and claims["aud"] not in audiences:
        raise ConsulError("error validating claims: aud claim does not match any bound audience")
    return claims


def mapped(method: Method, claims: Claims) -> dict[str, str]:
    """The claims by the names that selectors call them."""
    mappings: Mapping[str, str] = method.config.get("ClaimMappings") or {}
    return {name: str(claims.get(claim, "")) for claim, name in mappings.items()}


def fits(rule: Mapping[str, Any], values: Mapping[str, str]) -> bool:
    """Whether a binding rule fits a login: every `value.x == "y"` of its selector, joined by `and`."""
    terms = _TERM.findall(rule.get("Selector", ""))
    return all(values.get(name, "") == wanted for name, wanted in terms)
