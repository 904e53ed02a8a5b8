"""The simulated Consul on the virtual clock: what takes hours or chance on a real one."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from cryptography import x509

from local.cloud.consul.datacenter import Datacenter
from local.cloud.world import World

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
LIFETIMES = {"LeafCertTTL": "1h", "IntermediateCertTTL": "8760h", "RootCertTTL": "87600h"}


@pytest.fixture
def primary(world: World) -> Datacenter:
    return world.consul.add("dc1")


@pytest.fixture
def secondary(world: World, primary: Datacenter) -> Datacenter:
    return world.consul.add("dc2", primary=primary.name)


@pytest.fixture
async def client(world: World, primary: Datacenter) -> AsyncIterator[httpx2.AsyncClient]:
    trust = ssl.create_default_context(cadata=world.wire.ca_pem.decode())
    headers = {"X-Consul-Token": primary.shared.acl.management}
    url = f"{world.wire.url}/consul"
    async with httpx2.AsyncClient(base_url=url, headers=headers, verify=trust, trust_env=False) as client:
        yield client


async def configure(client: httpx2.AsyncClient, values: dict[str, Any], at: str = "dc1") -> None:
    body = {"Provider": "consul", "Config": values}
    answer = await client.put(f"{at}/v1/connect/ca/configuration", json=body)
    assert answer.status_code == 200, answer.text


async def roots(client: httpx2.AsyncClient, at: str = "dc1") -> list[bool]:
    """Whether each root is active, the active one last."""
    found = (await client.get(f"{at}/v1/connect/ca/roots")).json()["Roots"]
    return sorted(root["Active"] for root in found)


async def leaf(client: httpx2.AsyncClient, service: str, at: str = "dc1", **query: str) -> dict[str, Any]:
    answer = await client.get(f"{at}/v1/agent/connect/ca/leaf/{service}", params=query)
    assert answer.status_code == 200, answer.text
    return {**answer.json(), "index": answer.headers["X-Consul-Index"]}


async def test_an_old_root_is_pruned_at_the_hour_after_twice_the_leaf_lifetime(
    world: World, client: httpx2.AsyncClient
) -> None:
    await configure(client, {**LIFETIMES, "PrivateKeyBits": 384})
    await world.clock.advance(2 * HOUR)
    assert await roots(client) == [False, True]
    await world.clock.advance(HOUR)
    assert await roots(client) == [True]


async def test_without_a_leaf_lifetime_old_roots_go_at_the_next_hour(world: World, client: httpx2.AsyncClient) -> None:
    await configure(client, {"LeafCertTTL": "72h", "PrivateKeyBits": 384})
    assert await roots(client) == [False, True]
    await configure(client, {"PrivateKeyBits": 384})
    await world.clock.advance(HOUR)
    assert await roots(client) == [True]


async def test_a_leaf_lifetime_that_is_lowered_later_hastens_the_pruning(
    world: World, client: httpx2.AsyncClient
) -> None:
    await configure(client, {"LeafCertTTL": "72h", "PrivateKeyBits": 384})
    await world.clock.advance(3 * HOUR)
    assert await roots(client) == [False, True]
    await configure(client, {"LeafCertTTL": "1h", "PrivateKeyBits": 384})
    await world.clock.advance(HOUR)
    assert await roots(client) == [True]


@pytest.mark.usefixtures("secondary")
async def test_a_secondary_prunes_by_its_own_configuration(world: World, client: httpx2.AsyncClient) -> None:
    await configure(client, {**LIFETIMES, "PrivateKeyBits": 384})
    await world.clock.advance(4 * HOUR)
    assert (await roots(client), await roots(client, "dc2")) == ([True], [False, True])
    await configure(client, LIFETIMES, "dc2")
    await world.clock.advance(HOUR)
    assert await roots(client, "dc2") == [True]


async def test_the_hour_counts_from_when_the_leader_began(
    world: World, client: httpx2.AsyncClient, primary: Datacenter
) -> None:
    await configure(client, {**LIFETIMES, "PrivateKeyBits": 384})
    await world.clock.advance(timedelta(hours=2, minutes=50))
    primary.elect()
    await world.clock.advance(timedelta(minutes=30))
    assert await roots(client) == [False, True]
    await world.clock.advance(timedelta(minutes=31))
    assert await roots(client) == [True]


async def test_a_late_secondary_signs_under_the_old_root_until_it_follows(
    world: World, client: httpx2.AsyncClient, primary: Datacenter, secondary: Datacenter
) -> None:
    secondary.lag = 600
    before = secondary.authority.active
    await configure(client, {**LIFETIMES, "PrivateKeyBits": 384})
    await world.clock.advance(599 * SECOND)
    assert secondary.authority.active == before
    await world.clock.advance(SECOND)
    assert secondary.authority.active
    assert primary.authority.active
    assert secondary.authority.active.id == primary.authority.active.id


async def test_a_secondary_that_was_down_follows_when_it_is_up(
    world: World, client: httpx2.AsyncClient, primary: Datacenter, secondary: Datacenter
) -> None:
    secondary.stop()
    await configure(client, {**LIFETIMES, "PrivateKeyBits": 384})
    await world.clock.advance(HOUR)
    answer = await client.get("dc1/v1/connect/ca/roots", params={"dc": "dc2"})
    assert (answer.status_code, "failed to get conn" in answer.text) == (500, True)
    secondary.restart()
    assert secondary.authority.active
    assert primary.authority.active
    assert secondary.authority.active.id == primary.authority.active.id
    assert (await leaf(client, "web", "dc2"))["ServiceURI"].endswith("/dc/dc2/svc/web")


async def test_a_restart_heals_a_secondary_that_got_no_intermediate(
    world: World, client: httpx2.AsyncClient, secondary: Datacenter
) -> None:
    secondary.replication_token = "wrong"
    await configure(client, {**LIFETIMES, "PrivateKeyBits": 384})
    await world.clock.advance(SECOND)
    answer = await client.get("dc2/v1/agent/connect/ca/leaf/web")
    assert "provided PrivateKey doesn't match" in answer.text
    secondary.replication_token = secondary.shared.acl.management
    await world.clock.advance(HOUR)
    assert (await client.get("dc2/v1/agent/connect/ca/leaf/web")).status_code == 500
    secondary.restart()
    await leaf(client, "web", "dc2")


async def test_who_waits_for_a_leaf_gets_the_new_one_within_half_a_minute(
    world: World, client: httpx2.AsyncClient, primary: Datacenter
) -> None:
    first = await leaf(client, "web")
    waiting = asyncio.ensure_future(leaf(client, "web", index=first["index"], wait="60s"))
    while not primary.leaves.kept["web"].waiters:  # noqa: ASYNC110  # it tells nobody
        await asyncio.sleep(0.001)
    await configure(client, {**LIFETIMES, "PrivateKeyBits": 384})
    assert (await leaf(client, "web"))["SerialNumber"] == first["SerialNumber"]
    await world.clock.advance(30 * SECOND)
    newer = await leaf(client, "web")
    assert newer["SerialNumber"] != first["SerialNumber"]
    assert (await waiting)["SerialNumber"] == newer["SerialNumber"]


async def test_a_leaf_that_nobody_waits_for_is_new_at_once(client: httpx2.AsyncClient) -> None:
    first = await leaf(client, "web")
    assert (await leaf(client, "web"))["SerialNumber"] == first["SerialNumber"]
    await configure(client, {**LIFETIMES, "PrivateKeyBits": 384})
    assert (await leaf(client, "web"))["SerialNumber"] != first["SerialNumber"]


async def test_a_leaf_is_renewed_before_it_ends(world: World, client: httpx2.AsyncClient) -> None:
    await configure(client, LIFETIMES)
    first = await leaf(client, "web")
    await world.clock.advance(timedelta(minutes=30))
    assert (await leaf(client, "web"))["SerialNumber"] == first["SerialNumber"]
    await world.clock.advance(timedelta(minutes=27))
    assert (await leaf(client, "web"))["SerialNumber"] != first["SerialNumber"]


async def test_leaves_beyond_the_limit_are_refused_until_time_passes(
    world: World, client: httpx2.AsyncClient, primary: Datacenter
) -> None:
    await configure(client, {**LIFETIMES, "CSRMaxPerSecond": 1})
    path = "dc1/v1/agent/connect/ca/leaf"
    seen = [(await client.get(f"{path}/web-{number}")).status_code for number in range(3)]
    assert (seen, primary.authority.refused) == ([200, 429, 429], 2)
    await world.clock.advance(SECOND)
    assert (await client.get(f"{path}/web-3")).status_code == 200


async def test_an_expired_root_still_signs_the_next_one(world: World, client: httpx2.AsyncClient) -> None:
    await configure(
        client, {"LeafCertTTL": "1h", "IntermediateCertTTL": "3h", "RootCertTTL": "3h", "PrivateKeyBits": 384}
    )
    await world.clock.advance(4 * HOUR)
    assert "root expired" in (await client.get("dc1/v1/agent/connect/ca/leaf/web")).text
    await configure(client, {**LIFETIMES, "PrivateKeyBits": 256})
    chain = (await leaf(client, "web"))["CertPEM"]
    assert len(x509.load_pem_x509_certificates(chain.encode())) == 2
