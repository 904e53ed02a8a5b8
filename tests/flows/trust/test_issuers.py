"""Issuers that just grow old: renewed at half of their lifetime by a timer, on the running app in a simulated cloud."""

import base64
import json

from cryptography import x509

from local.cloud.resources.aks import cluster_id
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
        document = {"clusters": {cluster_id("aks-west"): {"trust": {"issuer_lifetime": "PT30H"}}}}
        stage.policy.write_text(json.dumps(document))
        await stage.clock.advance(5 * HOUR)
        lifetimes = [i.not_valid_after_utc - i.not_valid_before_utc for i in (issuer(stage, name) for name in names)]
        assert [round(lifetime / HOUR) for lifetime in lifetimes] == [48, 30]
