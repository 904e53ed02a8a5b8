"""Entra tokens of callers: their signature is checked here, what they say is judged by `guard.callers`."""

import asyncio
from datetime import datetime

import jwt
from jwt import PyJWKClient

from shared.domain.errors import TemporaryError
from shared.domain.guard.callers import Caller, Unauthenticated, admit
from shared.settings import Settings

_LONGEST_TOKEN = 16_384  # characters


class TokenVerifier:
    """Verifies tokens against the tenant's published keys, which are looked up again when a new key appears."""

    def __init__(self, settings: Settings) -> None:
        tenant = f"{settings.authority_url}/{settings.tenant_id}"
        self._issuer, self._audience = f"{tenant}/v2.0", settings.audience
        self._keys = PyJWKClient(f"{tenant}/discovery/v2.0/keys", timeout=10)

    async def caller(self, authorization: str | None, now: datetime) -> Caller:
        """Who sends this Authorization header; raises Unauthenticated, or TemporaryError if the keys can't be read."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token or len(token) > _LONGEST_TOKEN:
            raise Unauthenticated("NoToken", f"send an Entra token for {self._audience} as Authorization: Bearer")
        claims = await asyncio.to_thread(self._verified, token)
        return admit(claims, issuer=self._issuer, audience=self._audience, now=now)

    def _verified(self, token: str) -> dict[str, object]:
        try:
            key = self._keys.get_signing_key_from_jwt(token).key
            # Time and audience are judged by the domain, where the present is an argument.
            return dict(
                jwt.decode(
                    token,
                    key,
                    algorithms=["RS256"],
                    options={"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False},
                )
            )
        except jwt.PyJWKClientConnectionError as error:
            raise TemporaryError("KeysUnreachable", "Entra's signing keys can't be read right now", 30) from error
        except jwt.PyJWTError as error:
            raise Unauthenticated("BadToken", "the token wasn't signed by this tenant") from error
