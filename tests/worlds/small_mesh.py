"""A trust domain that is as small as it can be and still has everything that a rotation touches, and commands to it.

Each cluster has the control plane and three pods of two kinds. Its root is due and not overdue: an abort is respected.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from local.cloud.key_vault.keys import PrivateKey
from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.linkerd.injection import injected
from local.cloud.world import World
from local.host.durable import OrchestrationState
from local.host.management import PREFIX
from local.scenario import KEY_VAULT, OLD_ROOT, TRUST_DOMAIN, add_cluster, seed_trust, workloads
from local.stage import APP, RunningApp
from tests.worlds.app import NO_WATCH, open_app
from tests.worlds.rotations import BARE, RUN, announce, status
from tests.worlds.times import HOUR, MINUTE

ROUTINE, SWIFT = timedelta(days=30), 60 * HOUR  # what is left of the root's life, and so how it is rotated
MESHED = {"meshward:mesh": "linkerd", "meshward:trust-domain": TRUST_DOMAIN}


@asynccontextmanager
async def small_mesh(
    *clusters: str,
    settings: Mapping[str, str] = NO_WATCH,
    app: Path = APP,
    left: timedelta = ROUTINE,
    traffic_every: float = 300,
    seeded: Callable[[World], None] | None = None,
    judged: bool = True,
    admitted: bool = True,
    key: PrivateKey | None = None,
) -> AsyncIterator[RunningApp]:
    """The app beside so many clusters (one, if none is named), ten minutes after their beginning.

    The root has this `key`, or one on P-256; it is `admitted`, unless the app is to see one that isn't.
    """

    def seed(world: World) -> None:
        seed_trust(world, 0, lifetime=left * 7 / 3, left=left, key=key)
        world.linkerd.traffic_every = traffic_every
        for name in clusters or ("aks-east",):
            add_cluster(world, name, few())
        if seeded:
            seeded(world)

    async with open_app(seed=seed, settings=settings, app=app, judged=judged, admitted=admitted) as stage:
        await stage.clock.advance(10 * MINUTE)
        yield stage


def join(stage: RunningApp, name: str, *, bundle: str, signer: str) -> SimulatedCluster:
    """A cluster that an infrastructure team adds with this bundle, and an issuer under the root of this name."""
    now, key = stage.clock.now(), ec.generate_private_key(ec.SECP256R1())
    vault, pem = stage.world.key_vaults.vaults[KEY_VAULT], serialization.Encoding.PEM
    common_name = f"identity.linkerd.{TRUST_DOMAIN}"
    issuer = vault.sign_issuer(signer, common_name, key.public_key(), now - MINUTE, now + 48 * HOUR)
    stage.world.aks.add(name, tags=MESHED)
    stage.world.linkerd.install(
        name,
        trust_domain=TRUST_DOMAIN,
        root_pem=bundle,
        issuer_cert_pem=issuer.public_bytes(pem).decode(),
        issuer_key_pem=key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode(),
    )
    cluster = stage.world.kubernetes.clusters[name]
    for manifest in few():
        cluster.apply(manifest)
    return cluster


def join_at(stage: RunningApp, phase: str, *, signer: str) -> None:
    """Let aks-late join at the very moment at which the rotation enters the phase.

    Its bundle is that of the day or, where the new root has signed its issuer, of the new root alone.
    """
    name = "aks-late"

    def enter(instance: OrchestrationState) -> None:
        entered = instance.id == RUN and (instance.custom_status or {}).get("phase") == phase
        if entered and name not in stage.world.kubernetes.clusters:
            bundle = bundle_of(stage, "aks-east")
            newest = "".join(bundle.partition("-----END CERTIFICATE-----\n")[:2])
            join(stage, name, bundle=bundle if signer == OLD_ROOT else newest, signer=signer)

    stage.host.on_change(enter)


async def go_back_on_a_proof(stage: RunningApp) -> None:
    """Let aks-east prove that it trusts both roots, and somebody then start a pod there that trusts the old one alone.

    Until then aks-west was late, for a forgotten pod.
    """
    east, west = (stage.world.kubernetes.clusters[name] for name in ("aks-east", "aks-west"))
    old = bundle_of(stage, "aks-east")
    west.apply(BARE)
    await stage.clock.advance(MINUTE)
    announce(stage)
    await reach(stage, "distribute")
    await stage.clock.advance(30 * MINUTE)
    by_hand = injected(
        BARE, stage.world.linkerd.control_planes["aks-east"].of, old
    )  # as `linkerd inject --manual` does
    east.apply(by_hand)
    await stage.clock.advance(MINUTE)
    assert not stage.world.linkerd.violations
    west.delete("Pod", "shop", "debug")


def few() -> list[dict[str, Any]]:
    """Two of the scenario's workloads."""
    return [manifest for manifest in workloads() if manifest["metadata"]["name"] in ("shop", "web", "db")]


def bundle_of(stage: RunningApp, cluster: str) -> str:
    """The text of the bundle that a cluster has."""
    found = stage.world.kubernetes.clusters[cluster].get("ConfigMap", "linkerd", "linkerd-identity-trust-roots")
    return str(found["data"]["ca-bundle.crt"])


async def reach(stage: RunningApp, *phases: str) -> None:
    """Let time run until the rotation is in one of these phases."""
    await stage.run(lambda: status(stage).get("phase") in phases)


async def send(stage: RunningApp, command: str) -> None:
    """Send an operator's command to the rotation."""
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{stage.host.url}{PREFIX}{RUN}/raiseEvent/{command}") as answer,
    ):
        assert answer.status == 202
