"""Rotations of the trust domain prod.contoso.example: how they are set off, and what becomes of them."""

import base64
from datetime import timedelta
from typing import Any

from local.cloud.key_vault.vault import Vault
from local.cloud.kubernetes.objects import Object
from local.cloud.world import World
from local.host.durable import OrchestrationState
from local.scenario import KEY_VAULT, KEY_VAULT_TOPIC, OLD_ROOT, TRUST_DOMAIN, seed_trust
from local.stage import RunningApp
from shared.domain.trust.certificates import fingerprint, fingerprints

RUN = "rotate-prod-contoso-example-702c5961d5b82e49-g2"
NEW_ROOT = "linkerd-root-prod-contoso-example-702c5961d5b82e49-g0002"
DAYS = timedelta(days=3)
BARE: Object = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "debug", "namespace": "shop"},
    "spec": {"containers": [{"name": "shell", "image": "busybox"}]},
}


def seed(world: World) -> None:
    """A trust domain of one cluster, whose root is due."""
    seed_trust(world, 1)
    world.linkerd.traffic_every = 300


def vault(stage: RunningApp) -> Vault:
    """The Key Vault that holds the roots."""
    return stage.world.key_vaults.vaults[KEY_VAULT]


def writes(stage: RunningApp) -> list[str]:
    """What was changed, in order."""
    sent = (e for e in stage.world.wire.exchanges if e.method != "GET" and e.status < 400)
    lines = [f"{e.method} {e.url.partition('?')[0].removeprefix(stage.world.wire.url)}" for e in sent]
    reading = ("/listClusterUserCredential", "/Microsoft.ResourceGraph/resources", "/sign", "/selfsubjectaccessreviews")
    return [line for line in lines if not line.endswith(reading)]


async def rotated(stage: RunningApp) -> dict[str, Any]:
    """The result of the one rotation, which must have gone well and unnoticed by the mesh."""
    await stage.run(RUN, DAYS)
    assert [run.id for run in runs(stage)] == [RUN]
    (run,) = runs(stage)
    assert run.status == "Completed", run.failure
    assert run.output["outcome"] == "rotated"
    linkerd, now = stage.world.linkerd, stage.clock.time()
    new = vault(stage).certificate(NEW_ROOT).current
    assert new.certificate
    assert linkerd.roots(TRUST_DOMAIN) == {fingerprint(new.certificate)} == {run.output["new_root"]}
    assert linkerd.handshakes > 1000
    assert not linkerd.failed
    assert not linkerd.violations
    assert not linkerd.broken_pairs()
    for plane in linkerd.control_planes.values():
        secret = plane.cluster.get("Secret", "linkerd", "linkerd-identity-issuer")
        assert fingerprints(base64.b64decode(secret["data"]["ca.crt"]).decode()) == {run.output["new_root"]}
    assert [new.enabled, vault(stage).certificate(OLD_ROOT).current.enabled] == [True, False]
    assert all(p.leaf and p.leaf.not_after > now for p in linkerd.proxies(TRUST_DOMAIN))
    result: dict[str, Any] = run.output
    return result


async def held(stage: RunningApp) -> dict[str, Any]:
    """Why the one rotation is on hold."""
    await stage.run(lambda: "held" in status(stage), DAYS)
    found: dict[str, Any] = status(stage)["held"]
    return found


def runs(stage: RunningApp) -> list[OrchestrationState]:
    """The rotations, without the flows of their members."""
    return [i for i in stage.host.instances() if i.name == "rotate_trust_root"]


def status(stage: RunningApp) -> dict[str, Any]:
    """What the rotation shows of itself."""
    run = stage.host.instance(RUN)
    return (run.custom_status or {}) if run else {}


def steps(stage: RunningApp) -> dict[str, dict[str, Any]]:
    """What each member that is at work waits for, by step."""
    members = [i for i in stage.host.instances() if i.name == "rotate_member" and not i.ended]
    return {m.custom_status["step"]: m.custom_status for m in members if m.custom_status and "step" in m.custom_status}


def announce(stage: RunningApp, **data: Any) -> None:
    """The event that the old root nears its expiry."""
    event = vault(stage).near_expiry_event(OLD_ROOT)
    stage.world.event_grid.publish(KEY_VAULT_TOPIC, {**event, "data": {**event["data"], **data}})
