"""A Consul trust domain as its contract sees it: a primary and a secondary, Meshward's client and everybody else."""

import json
import ssl
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest

from local.cloud.entra import Principal
from local.cloud.world import TENANT, World
from shared.adapters.meshes.consul.calls import ConsulBounds
from shared.adapters.meshes.consul.session import Consul, ConsulSession
from shared.domain.trust.certificates import certificates_in
from shared.domain.trust.consul.ca_configuration import CaConfiguration
from shared.domain.trust.consul.chains import verifies
from shared.domain.trust.consul.facts import ConsulLeaf, ConsulRoot, ConsulServers
from shared.domain.trust.consul.secondaries import behind

PRIMARY, SECONDARY = "dc1", "dc2"
METHOD, AUDIENCE = "meshward", "api://meshward-consul"
CANARY = "meshward-canary-"
NODE = "backup-workloads"
RULES = {
    "operator": "write",
    "acl": "read",
    "service_prefix": {
        "": {"policy": "read", "intentions": "read"},
        CANARY: {"policy": "write"},
        "backup-": {"policy": "write", "intentions": "write"},
    },
    "node_prefix": {"": {"policy": "read"}},
    "node": {NODE: {"policy": "write"}},
}
BOUNDS = ConsulBounds(tries=20, pause=0.1)
_POLICY = "meshward-rotator"
_TRIES = 600


@dataclass(frozen=True, kw_only=True)
class _Tokens:
    """Entra tokens of one principal; `claims` override theirs."""

    world: World
    principal: Principal
    claims: Mapping[str, Any]

    async def token(self) -> str:
        return self.world.entra.token(self.principal, **{"audience": AUDIENCE, **self.claims})


@dataclass(frozen=True, kw_only=True)
class ConsulUnderTest:
    """Two datacenters for the length of a test. `other` holds a token that may do everything, by datacenter."""

    world: World
    rotator: Principal
    servers: Mapping[str, ConsulServers]
    other: Mapping[str, httpx2.AsyncClient]
    wait: Callable[[], Awaitable[None]]
    now: Callable[[], datetime]  # as the datacenters have it

    def session(
        self, datacenter: str = PRIMARY, bounds: ConsulBounds = BOUNDS, **claims: Any
    ) -> AbstractAsyncContextManager[ConsulSession]:
        """A session of the rotator, with other claims in its Entra token if told so."""
        tokens = _Tokens(world=self.world, principal=self.rotator, claims=claims)
        return Consul(tokens, bounds).session(self.servers[datacenter], {"invocation": self.purpose})

    def session_at(
        self, servers: ConsulServers, principal: Principal | None = None
    ) -> AbstractAsyncContextManager[ConsulSession]:
        """A session at other servers than the test's, or of somebody else."""
        tokens = _Tokens(world=self.world, principal=principal or self.rotator, claims={})
        return Consul(tokens, BOUNDS).session(servers, {"invocation": self.purpose})

    @property
    def purpose(self) -> str:
        return f"of-{self.rotator.object_id}"

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        for _ in range(_TRIES):
            if await holds():
                return
            await self.wait()
        pytest.fail("the condition never held")

    async def admin(self, method: str, path: str, body: Any = None, at: str = PRIMARY, **query: str) -> Any:
        """What somebody else does, who may do everything."""
        answer = await self.other[at].request(method, f"v1/{path}", params=query, json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def logins(self) -> list[str]:
        """The descriptions of the rotator's tokens that are live."""
        found = await self.admin("GET", "acl/tokens")
        return [token["Description"] for token in found if self.purpose in token["Description"]]

    async def follows(self, session: ConsulSession) -> bool:
        """Whether the secondary signs under the primary's root."""
        primary, secondary = [await session.authority.roots(dc) for dc in (PRIMARY, SECONDARY)]
        return behind(primary, secondary) == ""

    async def rotate(self, session: ConsulSession) -> ConsulRoot:
        """A new root by another key; the root before it."""
        roots = await session.authority.roots()
        await session.authority.write_configuration((await session.authority.configuration()).with_new_key())
        await self.until(lambda: self.follows(session))
        assert roots.active
        return roots.active

    async def lists_another(self, session: ConsulSession, id: str) -> bool:
        """Whether the secondary has another active root than this one."""
        return (await session.authority.roots(SECONDARY)).active_id != id

    async def leaf_elsewhere(self) -> ConsulLeaf:
        """A new leaf of the secondary."""
        async with self.session(SECONDARY) as session:
            return await session.authority.leaf(canary())

    async def replicate_without(self, permission: str) -> None:
        """Let the secondary show the primary a token that may do all that replication takes but this; empty: all."""
        rules = {"acl": "write", "operator": "write", "service_prefix": {"": {"policy": "read", "intentions": "read"}}}
        rules.pop(permission, None)
        name = f"replication-{uuid.uuid4().hex[:8]}"
        await self.admin("PUT", "acl/policy", {"Name": name, "Rules": json.dumps(rules)})
        token = await self.admin("PUT", "acl/token", {"Policies": [{"Name": name}]})
        await self.admin("PUT", "agent/token/replication", {"Token": token["SecretID"]}, SECONDARY)

    @asynccontextmanager
    async def put_back(self) -> AsyncIterator[None]:
        """Whatever authority a test leaves behind, the next one finds one that signs."""
        try:
            yield
        finally:
            async with self.session() as session:
                lifetimes = {"LeafCertTTL": "72h", "IntermediateCertTTL": "8760h", "RootCertTTL": "87600h"}
                body = {**lifetimes, "PrivateKeyType": "ec", "PrivateKeyBits": 384}
                await self.force(body)
                await self.force({**body, "PrivateKeyBits": 256})
                await self.until(lambda: self.follows(session))

    async def sane(self, session: ConsulSession) -> CaConfiguration:
        return (await session.authority.configuration()).completed()

    async def force(self, values: Mapping[str, object], at: str = PRIMARY) -> None:
        """A configuration without cross-signing, by somebody else."""
        body = {"Provider": "consul", "Config": dict(values), "ForceWithoutCrossSigning": True}
        await self.admin("PUT", "connect/ca/configuration", body, at)

    async def configure(self, at: str = PRIMARY, **values: object) -> httpx2.Response:
        """A whole configuration by somebody else, who knows no caution."""
        body = {"Provider": "consul", "Config": values}
        return await self.other[at].put("v1/connect/ca/configuration", json=body)


def canary() -> str:
    """A name of a service that no test has used."""
    return f"{CANARY}{uuid.uuid4().hex[:8]}"


def lifetime(leaf: ConsulLeaf) -> timedelta:
    """How long a leaf lives."""
    first = certificates_in(leaf.chain)[0]
    return first.not_valid_after_utc - first.not_valid_before_utc


def good(leaf: ConsulLeaf, root: ConsulRoot, at: datetime) -> bool:
    """Whether a verifier that trusts this root alone takes the leaf."""
    return verifies(certificates_in(leaf.chain), certificates_in(root.certificate), at)


@asynccontextmanager
async def opened(
    world: World,
    urls: Mapping[str, str],
    authority: bytes,
    management: str,
    *,
    wait: Callable[[], Awaitable[None]],
    now: Callable[[], datetime],
) -> AsyncIterator[ConsulUnderTest]:
    """The datacenters at these addresses, with an auth method that lets a fresh rotator in."""
    rotator, trust = world.entra.add("rotator"), ssl.create_default_context(cadata=authority.decode())
    servers = {
        name: ConsulServers(datacenter=name, url=url, authority=authority.decode(), auth_method=METHOD, primary=PRIMARY)
        for name, url in urls.items()
    }
    async with AsyncExitStack() as stack:
        headers = {"X-Consul-Token": management}
        other = {
            name: await stack.enter_async_context(
                httpx2.AsyncClient(base_url=url, headers=headers, verify=trust, trust_env=False, timeout=60)
            )
            for name, url in urls.items()
        }
        consul = ConsulUnderTest(world=world, rotator=rotator, servers=servers, other=other, wait=wait, now=now)
        await _let_in(consul)
        yield consul


async def _let_in(consul: ConsulUnderTest) -> None:
    """As the page for infra teams says it: a policy, an auth method, and a rule for one identity of one tenant."""
    policy = {"Name": _POLICY, "Rules": json.dumps(RULES)}
    found = await consul.other[PRIMARY].put("v1/acl/policy", json=policy)
    assert found.is_success or "already exists" in found.text, found.text
    await consul.admin("PUT", "acl/auth-method", auth_method(consul.world))
    said = {"oid": consul.rotator.object_id, "tid": TENANT, "idtyp": "app"}
    selector = " and ".join(f'value.{claim} == "{value}"' for claim, value in said.items())
    rule = {"AuthMethod": METHOD, "BindType": "policy", "BindName": _POLICY, "Selector": selector}
    await consul.admin("PUT", "acl/binding-rule", rule)


def auth_method(world: World) -> dict[str, Any]:
    """The auth method that takes tokens of the simulated Entra."""
    return {
        "Name": METHOD,
        "Type": "jwt",
        "TokenLocality": "global",
        "MaxTokenTTL": "10m",
        "Config": {
            "OIDCDiscoveryURL": world.entra.issuer,
            "OIDCDiscoveryCACert": world.wire.ca_pem.decode(),
            "BoundAudiences": [AUDIENCE],
            "ClaimMappings": {"oid": "oid", "tid": "tid", "idtyp": "idtyp"},
        },
    }
