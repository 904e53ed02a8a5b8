"""Tokens of callers, verified against the keys of the simulated Entra."""

import asyncio
import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.cloud.wire import InjectedFault, Reply
from local.cloud.world import World
from shared.adapters.azure.tokens import TokenVerifier
from shared.domain.errors import TemporaryError
from shared.domain.guard.callers import Unauthenticated
from tests.worlds.settings import settings as settings_for

AUDIENCE = "api"
KEYS = "discovery/v2.0/keys"


@pytest.fixture
async def tokens(world: World) -> TokenVerifier:
    return verifier(world)


def verifier(world: World) -> TokenVerifier:
    told = msgspec.structs.replace(settings_for(world), authority_url=world.wire.url, audience=AUDIENCE)
    return TokenVerifier(told, tls=ssl.create_default_context(cadata=world.wire.ca_pem.decode()))


def now_of(world: World) -> datetime:
    return datetime.fromtimestamp(world.clock.time(), UTC)


def good(world: World) -> str:
    return f"Bearer {world.entra.token(world.entra.named('operator'), AUDIENCE)}"


def foreign(kid: str) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return f"Bearer {jwt.encode({}, key, algorithm='RS256', headers={'kid': kid})}"


def asked(world: World) -> int:
    return sum(KEYS in exchange.url for exchange in world.wire.exchanges)


async def test_keys_are_asked_for_once_a_day_however_many_call(world: World, tokens: TokenVerifier) -> None:
    now = now_of(world)
    callers = await asyncio.gather(*(tokens.caller(good(world), now) for _ in range(50)))
    assert {caller.object_id for caller in callers} == {world.entra.named("operator").object_id}
    assert asked(world) == 1
    await world.clock.advance(timedelta(days=1))
    await tokens.caller(good(world), now_of(world))
    assert asked(world) == 2


async def test_tokens_that_name_keys_nobody_knows_ask_for_them_once_a_minute(
    world: World, tokens: TokenVerifier
) -> None:
    now = now_of(world)
    for kid in map(str, range(20)):
        with pytest.raises(Unauthenticated, match="BadToken"):
            await tokens.caller(foreign(kid), now)
    assert asked(world) == 1
    with pytest.raises(Unauthenticated, match="BadToken"):
        await tokens.caller(foreign("x"), now + timedelta(minutes=1))
    assert asked(world) == 2


async def test_after_keys_couldnt_be_read_nobody_asks_for_half_a_minute(world: World, tokens: TokenVerifier) -> None:
    now = now_of(world)
    world.wire.inject(InjectedFault(on=KEYS, kind="answer", reply=Reply(status=503)))
    for _ in range(20):
        with pytest.raises(TemporaryError, match="KeysUnreachable"):
            await tokens.caller(good(world), now)
    assert asked(world) == 1
    assert await tokens.caller(good(world), now + timedelta(seconds=30))


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"7", b"\xff", b"[" * 100_000, b'{"keys":[{"kty":"x"}]}', b"x" * 400_000]
)
async def test_keys_that_nobody_can_read_are_no_keys(world: World, tokens: TokenVerifier, content: bytes) -> None:
    world.wire.inject(InjectedFault(on=KEYS, kind="answer", reply=Reply(content=content)))
    with pytest.raises(TemporaryError, match="KeysUnreachable"):
        await tokens.caller(good(world), now_of(world))


@given(st.text(max_size=300) | st.from_regex(r"[A-Za-z0-9_-]{0,80}\.[A-Za-z0-9_-]{0,80}\.[A-Za-z0-9_-]{0,80}"))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=100)
async def test_whatever_is_sent_as_a_token_is_refused_by_name(world: World, tokens: TokenVerifier, text: str) -> None:
    for header in (text, f"Bearer {text}"):
        with suppress(Unauthenticated):
            await tokens.caller(header, now_of(world))
            raise AssertionError(header)
