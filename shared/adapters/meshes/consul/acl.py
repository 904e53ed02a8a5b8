"""Auth methods and binding rules, read: people and their pipelines write them."""

import msgspec

from shared.adapters.meshes.consul.calls import Calls, segment
from shared.domain.trust.consul.ca_configuration import duration
from shared.domain.trust.consul.facts import AuthMethod, BindingRule


class _Config(msgspec.Struct, rename="pascal"):
    bound_issuer: str = ""
    oidc_discovery_url: str = msgspec.field(name="OIDCDiscoveryURL", default="")
    bound_audiences: list[str] | None = None
    claim_mappings: dict[str, str] | None = None


class _Method(msgspec.Struct, rename="pascal"):
    type: str
    config: _Config
    max_token_ttl: str = msgspec.field(name="MaxTokenTTL", default="")
    token_locality: str = ""


class _Rule(msgspec.Struct, rename="pascal"):
    id: str = msgspec.field(name="ID")
    bind_type: str
    bind_name: str
    selector: str = ""


class Acl:
    """Who may log in, and what a login is given."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def auth_method(self, name: str, dc: str = "") -> AuthMethod | None:
        """The auth method of that name, None if there is none."""
        doing = f"reading auth method {name}"
        found = await self._calls.find(_Method, doing, f"acl/auth-method/{segment(name)}", dc)
        return None if found is None else _auth_method(name, found)

    async def binding_rules(self, method: str, dc: str = "") -> list[BindingRule]:
        """The rules of an auth method; all that match a login add up."""
        doing = f"reading the binding rules of {method}"
        found = await self._calls.read(list[_Rule], doing, "acl/binding-rules", dc, authmethod=method)
        return [
            BindingRule(id=rule.id, selector=rule.selector, bind_type=rule.bind_type, bind_name=rule.bind_name)
            for rule in found
        ]


def _auth_method(name: str, found: _Method) -> AuthMethod:
    config = found.config
    return AuthMethod(
        name=name,
        kind=found.type,
        token_locality=found.token_locality,
        max_token_ttl=duration(found.max_token_ttl) or None,
        issuer=config.oidc_discovery_url or config.bound_issuer,
        audiences=tuple(config.bound_audiences or ()),
        claims=config.claim_mappings or {},
    )
