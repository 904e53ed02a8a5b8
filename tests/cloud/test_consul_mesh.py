"""Proxies of the simulated Consul while its root changes: sound changes cut nobody off, the known mistakes do."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from local.cloud.consul.configuration import Configuration
from local.cloud.consul.datacenter import Datacenter
from local.cloud.consul.mesh import SimulatedConsul
from local.cloud.world import World

HOUR = timedelta(hours=1)
LIFETIMES = {"LeafCertTTL": "24h", "IntermediateCertTTL": "8760h", "RootCertTTL": "87600h"}


@pytest.fixture
async def consul(world: World) -> SimulatedConsul:
    """A primary and a secondary whose proxies have talked for an hour."""
    world.consul.add("dc1")
    world.consul.add("dc2", primary="dc1")
    for datacenter in world.consul.datacenters.values():
        datacenter.authority.configure(Configuration("consul", LIFETIMES))
    world.consul.traffic_every = 30.0
    for name in ("dc1", "dc2"):
        world.consul.run(name, "web", 10)
    await world.clock.advance(HOUR)
    assert (world.consul.handshakes > 400, list(world.consul.failed)) == (True, [])
    return world.consul


@pytest.fixture
def primary(consul: SimulatedConsul) -> Datacenter:
    return consul.datacenters["dc1"]


@pytest.fixture
def secondary(consul: SimulatedConsul) -> Datacenter:
    return consul.datacenters["dc2"]


def flip(datacenter: Datacenter, values: Mapping[str, object], *, cross_signed: bool = True) -> None:
    datacenter.authority.configure(
        Configuration("consul", {**values, "PrivateKeyBits": 384}, without_cross_signing=not cross_signed)
    )


def active(datacenter: Datacenter) -> list[str]:
    return [root.id for root in datacenter.authority.roots]


async def test_a_root_changes_to_its_end_and_nobody_is_cut_off(
    world: World, consul: SimulatedConsul, primary: Datacenter, secondary: Datacenter
) -> None:
    flip(primary, LIFETIMES)
    await world.clock.advance(52 * HOUR)
    assert list(consul.failed) == []
    assert active(primary) == active(secondary)
    assert len(active(primary)) == 1


async def test_a_secondary_that_is_late_is_reached_by_the_cross_signed_root(
    world: World, consul: SimulatedConsul, primary: Datacenter, secondary: Datacenter
) -> None:
    secondary.lag = 6 * 3600
    flip(primary, LIFETIMES)
    await world.clock.advance(7 * HOUR)
    assert list(consul.failed) == []


async def test_without_cross_signing_a_late_secondary_is_cut_off(
    world: World, consul: SimulatedConsul, primary: Datacenter, secondary: Datacenter
) -> None:
    secondary.lag = 600
    flip(primary, LIFETIMES, cross_signed=False)
    await world.clock.advance(HOUR)
    assert {failure.reason for failure in consul.failed} == {"UnknownIssuer"}


async def test_a_change_without_leaf_lifetime_just_before_the_hour_cuts_proxies_off(
    world: World, consul: SimulatedConsul, primary: Datacenter
) -> None:
    consul.traffic_every = 1.0
    await world.clock.advance(timedelta(minutes=59, seconds=58))
    flip(primary, {})
    await world.clock.advance(timedelta(minutes=1))
    assert {failure.reason for failure in consul.failed} == {"UnknownIssuer"}


async def test_an_old_root_that_goes_while_leaves_of_it_live_cuts_these_off(
    world: World, consul: SimulatedConsul, primary: Datacenter, secondary: Datacenter
) -> None:
    secondary.replication_token = "wrong"  # so its leaves stay of the old root
    flip(primary, LIFETIMES)
    primary.authority.configure(Configuration("consul", {**LIFETIMES, "LeafCertTTL": "1h", "PrivateKeyBits": 384}))
    await world.clock.advance(4 * HOUR)
    assert {failure.reason for failure in consul.failed} == {"UnknownIssuer"}


async def test_a_secondary_that_cannot_sign_stops_when_its_leaves_end(
    world: World, consul: SimulatedConsul, primary: Datacenter, secondary: Datacenter
) -> None:
    secondary.replication_token = "wrong"
    flip(primary, LIFETIMES)
    await world.clock.advance(8 * HOUR)
    assert list(consul.failed) == []
    await world.clock.advance(16 * HOUR)
    assert {failure.reason for failure in consul.failed} == {"CertExpired"}


async def test_a_wave_of_renewals_beyond_the_limit_takes_longer_and_cuts_nobody_off(
    world: World, consul: SimulatedConsul, primary: Datacenter
) -> None:
    primary.authority.configure(Configuration("consul", {**LIFETIMES, "CSRMaxPerSecond": 0.1}))
    flip(primary, {**LIFETIMES, "CSRMaxPerSecond": 0.1})
    await world.clock.advance(HOUR)
    assert primary.authority.refused > 0
    assert {p.signed_by for p in consul.proxies["dc1"].proxies} == {primary.authority.active.signed_by}  # type: ignore[union-attr]
    assert list(consul.failed) == []
