"""Issuers that just grow old: renewed daily by a timer, on the running app in a simulated cloud."""

import base64
import re

from cryptography import x509

from local.cloud.resources.aks import cluster_id
from local.cloud.wire import InjectedFault, Reply
from local.stage import RunningApp
from tests.worlds.issuers import ISSUER, SWEPT, half_lived
from tests.worlds.rotations import writes
from tests.worlds.small_mesh import small_mesh
from tests.worlds.times import HOUR


def issuer(stage: RunningApp, cluster: str = "aks-east") -> x509.Certificate:
    found = stage.world.kubernetes.clusters[cluster].get("Secret", "linkerd", ISSUER)
    return x509.load_pem_x509_certificate(base64.b64decode(found["data"]["tls.crt"]))


async def test_an_issuer_is_renewed_at_half_of_its_life_and_goes_live_without_a_restart() -> None:
    async with small_mesh(seeded=half_lived, settings=SWEPT, traffic_every=60) as stage:
        begun = stage.clock.now()
        await stage.clock.advance(5 * HOUR)
        new, (plane,) = issuer(stage), stage.world.linkerd.control_planes.values()
        assert new.not_valid_after_utc - begun > 48 * HOUR
        assert all(i.issuer and i.issuer.certificate == new for i in plane.identities.values())
        assert [line.rpartition("/")[2] for line in writes(stage)] == [ISSUER]
        await stage.clock.advance(15 * HOUR)
        assert issuer(stage) == new
        await stage.clock.advance(10 * HOUR)
        assert issuer(stage).not_valid_after_utc > new.not_valid_after_utc
        assert not stage.world.linkerd.failed
        assert not stage.world.linkerd.violations


async def test_each_issuer_lives_as_long_as_the_policy_of_its_own_cluster_says() -> None:
    names = ("aks-east", "aks-west")
    async with small_mesh(*names, seeded=lambda world: half_lived(world, *names), settings=SWEPT) as stage:
        stage.say(clusters={cluster_id("aks-west"): {"trust": {"issuer_lifetime": "PT30H"}}})
        await stage.clock.advance(5 * HOUR)
        lifetimes = [i.not_valid_after_utc - i.not_valid_before_utc for i in (issuer(stage, name) for name in names)]
        assert [round(lifetime / HOUR) for lifetime in lifetimes] == [240, 30]


def away(stage: RunningApp) -> InjectedFault:
    """The cluster's API server answers every call with 503."""
    return stage.world.wire.inject(InjectedFault("/k8s/aks-east/", "answer", 1_000_000, Reply(status=503)))


def hours_left(stage: RunningApp, message: str) -> list[int]:
    """The hours that lines with this message tell of the cluster."""
    lines = [line for line in stage.log if message in line and "aks-east" in line]
    return [int(found[1]) for line in lines if (found := re.search(r"hours_left=(-?\d+)", line))]


async def test_an_api_server_that_is_away_for_days_takes_no_mesh_down_and_is_told_by_the_hour() -> None:
    async with small_mesh(seeded=half_lived, settings=SWEPT) as stage:
        await stage.clock.advance(3 * HOUR)
        outage = away(stage)
        await stage.clock.advance(72 * HOUR)
        told = hours_left(stage, "issuer not renewed")
        assert told == sorted(told, reverse=True)
        assert len(told) > 70
        assert (told[0], told[-1]) == (236, 165)
        assert hours_left(stage, "issuer looked at")[-1] == told[-1]
        outage.times = 0
        await stage.clock.advance(2 * HOUR)
        assert hours_left(stage, "issuer looked at")[-1] > 235
        assert not stage.world.linkerd.failed


async def test_an_issuer_that_is_about_to_expire_and_cannot_be_renewed_is_told_as_a_danger() -> None:
    async with small_mesh(seeded=half_lived, settings=SWEPT) as stage:
        stage.say(clusters={cluster_id("aks-east"): {"trust": {"issuer_lifetime": "PT30H"}}})
        await stage.clock.advance(3 * HOUR)
        away(stage)
        await stage.clock.advance(26 * HOUR)
        told = hours_left(stage, "issuer about to expire")
        assert told
        assert max(told) <= 8
        assert min(hours_left(stage, "issuer not renewed")) >= 7
