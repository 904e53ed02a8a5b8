"""Entra tokens of callers: their signature is checked here, what they say is judged by `guard.callers`.

Rules:
- The tenant's published keys are asked for once a day, and when a token names another key: once a minute at most, as
  anybody may send tokens.
- One question at a time, with an end. After one that failed, none is asked for half a minute: callers are told at once.
"""

import asyncio
import ssl
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import jwt
import msgspec
from jwt import PyJWK, PyJWKSet

from shared.domain.errors import TemporaryError
from shared.domain.guard.callers import Caller, Unauthenticated, admit
from shared.settings import Settings

_LONGEST_TOKEN = 16_384  # characters
_LARGEST_SET = 262_144  # bytes of all keys
_KEPT, _BETWEEN, _AFTER_FAILURE = timedelta(days=1), timedelta(minutes=1), timedelta(seconds=30)
_FETCH_SECONDS = 10.0


class _Set(msgspec.Struct):
    keys: list[dict[str, Any]]


class TokenVerifier:
    """Verifies tokens against the tenant's published keys."""

    def __init__(self, settings: Settings, *, tls: ssl.SSLContext | bool = True) -> None:
        tenant = f"{settings.authority_url}/{settings.tenant_id}"
        self._issuer, self._audience = f"{tenant}/v2.0", settings.audience
        self._keys = _PublishedKeys(f"{tenant}/discovery/v2.0/keys", tls)

    async def caller(self, authorization: str | None, now: datetime) -> Caller:
        """Who sends this Authorization header; raises Unauthenticated, or TemporaryError if the keys can't be read."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token or len(token) > _LONGEST_TOKEN:
            raise Unauthenticated("NoToken", f"send an Entra token for {self._audience} as Authorization: Bearer")
        claims = _verified(token, await self._keys.key(_key_id(token), now))
        return admit(claims, issuer=self._issuer, audience=self._audience, now=now)


class _PublishedKeys:
    """The tenant's signing keys by their ids, as they were published last."""

    def __init__(self, url: str, tls: ssl.SSLContext | bool) -> None:
        self._url, self._tls = url, tls
        self._keys: dict[str, PyJWK] = {}
        self._fetched: datetime | None = None
        self._failed: datetime | None = None
        self._fetching = asyncio.Lock()

    async def key(self, id: str, now: datetime) -> PyJWK:
        """The key with this id; raises Unauthenticated if none is published, TemporaryError if that can't be known."""
        async with self._fetching:
            if self._may_have_changed(id, now):
                await self._fetch(now)
        if id not in self._keys:
            raise _unsigned()
        return self._keys[id]

    def _may_have_changed(self, id: str, now: datetime) -> bool:
        age = None if self._fetched is None else now - self._fetched
        return age is None or age >= (_KEPT if id in self._keys else _BETWEEN)

    async def _fetch(self, now: datetime) -> None:
        if self._failed and now - self._failed < _AFTER_FAILURE:
            raise _unreachable()
        self._failed = now
        try:
            self._keys = {key.key_id: key for key in (await self._published()).keys if key.key_id}
        except (aiohttp.ClientError, TimeoutError, ValueError, RecursionError, jwt.PyJWTError) as error:
            raise _unreachable() from error
        self._fetched, self._failed = now, None

    async def _published(self) -> PyJWKSet:
        limit = aiohttp.ClientTimeout(total=_FETCH_SECONDS)
        async with (
            aiohttp.ClientSession(timeout=limit) as session,
            session.get(self._url, ssl=self._tls, allow_redirects=False, raise_for_status=True) as answer,
        ):
            content = await answer.content.read(_LARGEST_SET)
            while not answer.content.at_eof() and len(content) < _LARGEST_SET:
                content += await answer.content.read(_LARGEST_SET - len(content))
        return PyJWKSet(msgspec.json.decode(content, type=_Set).keys)


def _unsigned() -> Unauthenticated:
    return Unauthenticated("BadToken", "the token wasn't signed by this tenant")


def _unreachable() -> TemporaryError:
    return TemporaryError("KeysUnreachable", "Entra's signing keys can't be read right now", 30)


def _key_id(token: str) -> str:
    try:
        return str(jwt.get_unverified_header(token).get("kid", ""))
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise _unsigned() from error


def _verified(token: str, key: PyJWK) -> dict[str, object]:
    try:
        # Time and audience are judged by the domain, where the present is an argument.
        return dict(
            jwt.decode(
                token,
                key.key,
                algorithms=["RS256"],
                options={"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False},
            )
        )
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise _unsigned() from error
