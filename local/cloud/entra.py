"""Entra ID: signing keys, tokens of managed identities and callers, and the identity endpoint as App Service has it."""

import json
import secrets
import uuid
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from local.cloud.clock import Clock
from local.cloud.wire import CloudRequest, Reply, Route, Wire

TENANT = "22222222-2222-4222-8222-222222222222"
TOKEN_SECONDS = 86_400  # managed identity tokens live 24 h
_KEY_ID = "sim-1"


@dataclass(frozen=True, kw_only=True)
class Principal:
    """A managed identity or a user in Entra."""

    object_id: str  # role assignments name it
    client_id: str
    name: str
    kind: str = "app"  # the token's `idtyp`: app or user
    roles: tuple[str, ...] = field(default=())  # app roles, a claim of its tokens
    created: float = 0.0  # Unix seconds


@cache
def _signing_key() -> rsa.RSAPrivateKey:
    """One for all worlds of this process: they know each other's tokens by issuer, and making keys is slow."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Entra:
    """Issues RS256 tokens and publishes their keys. The identity endpoint is plain HTTP, as App Service has it."""

    def __init__(self, clock: Clock, wire: Wire) -> None:
        self._clock, self._wire = clock, wire
        self._key = _signing_key()
        self.principals: dict[str, Principal] = {}
        self.apps: dict[str, str] = {}  # audiences by what is asked for; with any, no api:// URI is taken but theirs
        self._claims = lru_cache(maxsize=1_000)(self._verified)  # one token comes with thousands of calls
        self.identity_header = secrets.token_urlsafe(16)
        self.identity_endpoint = ""
        self._runner: web.AppRunner | None = None
        wire.mount(
            [
                Route("GET", "/{tenant}/v2.0/.well-known/openid-configuration", self._configuration),
                Route("GET", "/{tenant}/discovery/v2.0/keys", self._keys),
            ]
        )

    @property
    def issuer(self) -> str:
        return f"{self._wire.url}/{TENANT}/v2.0"

    def add(self, name: str, *, kind: str = "app", roles: tuple[str, ...] = ()) -> Principal:
        """A new principal with ids of its own."""
        principal = Principal(
            object_id=str(uuid.uuid4()),
            client_id=str(uuid.uuid4()),
            name=name,
            kind=kind,
            roles=roles,
            created=self._clock.time(),
        )
        self.principals[principal.client_id] = principal
        return principal

    def named(self, name: str) -> Principal:
        """The principal of that name, made if there is none."""
        found = (principal for principal in self.principals.values() if principal.name == name)
        return next(found, None) or self.add(name)

    def token(self, principal: Principal, audience: str, **claims: Any) -> str:
        """A signed token as Entra issues it; `claims` override single claims."""
        now = int(self._clock.time())
        content = {
            "aud": audience,
            "iss": self.issuer,
            "iat": now,
            "nbf": now,
            "exp": now + TOKEN_SECONDS,
            "tid": TENANT,
            "ver": "2.0",
            "oid": principal.object_id,
            "sub": principal.object_id,
            "azp": principal.client_id,
            "idtyp": principal.kind,
            "roles": list(principal.roles),
        }
        return jwt.encode({**content, **claims}, self._key, algorithm="RS256", headers={"kid": _KEY_ID})

    def caller(self, call: CloudRequest, audience: str) -> Principal | None:
        """Who holds the call's token, if it is valid now for `audience`."""
        claims = self._claims(call.token or "", audience)
        if claims is None or not claims["nbf"] <= self._clock.time() < claims["exp"]:
            return None
        return self.principals.get(claims["azp"])

    def claims(self, token: str) -> dict[str, Any] | None:
        """What a token says, whomever it is for and whether it is valid now; None unless it was signed here."""
        return self._verified(token, None)

    def _verified(self, token: str, audience: str | None) -> dict[str, Any] | None:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key.public_key(),
                algorithms=["RS256"],
                audience=audience,
                options={
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    "verify_aud": audience is not None,
                },
            )
        except jwt.InvalidTokenError:
            return None
        return claims

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/msi/token", self._managed_identity)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.identity_endpoint = f"http://127.0.0.1:{self._runner.addresses[0][1]}/msi/token"

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def _managed_identity(self, request: web.Request) -> web.Response:
        principal = self.principals.get(request.query.get("client_id", ""))
        if request.headers.get("x-identity-header") != self.identity_header or principal is None:
            return web.json_response(
                {"statusCode": 400, "message": "No User Assigned Managed Identity found for specified ClientId."},
                status=400,
            )
        resource = request.query["resource"]
        if self.apps and resource.startswith("api://") and resource not in self.apps:
            text = f"AADSTS500011: The resource principal named {resource} was not found in the tenant {TENANT}."
            return web.json_response({"error": "invalid_resource", "error_description": text}, status=400)
        expires = int(self._clock.time()) + TOKEN_SECONDS
        return web.json_response(
            {
                "access_token": self.token(principal, self.apps.get(resource, resource)),
                "expires_on": str(expires),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": principal.client_id,
            }
        )

    def _configuration(self, call: CloudRequest) -> Reply:
        tenant = f"{self._wire.url}/{call.params['tenant']}"
        endpoints = {
            "authorization_endpoint": f"{tenant}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{tenant}/oauth2/v2.0/devicecode",
            "token_endpoint": f"{tenant}/oauth2/v2.0/token",
            "jwks_uri": f"{tenant}/discovery/v2.0/keys",
        }
        return Reply(body={"issuer": self.issuer, "id_token_signing_alg_values_supported": ["RS256"], **endpoints})

    def _keys(self, _call: CloudRequest) -> Reply:
        jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
        return Reply(body={"keys": [{**jwk, "kid": _KEY_ID, "use": "sig", "alg": "RS256"}]})
