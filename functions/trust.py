"""Rotate the trust root of a mesh: trigger → orchestrator → activities.

    CertificateNearExpiry ─┐
    daily sweep ───────────┼─▶ request_rotation ─▶ rotate_trust_root, once per trust domain and generation
    HTTP, pipeline, agent ─┘
                               prepare      find members, check each, make the new root in Key Vault
                               distribute   bundle of both roots, restart control planes, then workloads, prove B1
                               activate     an issuer under the new root per member, prove that each replica uses it
                               settle       prove B2: every live proxy has renewed its leaf since
                               retire       bundle of the new root, restart again, prove, disable the old root's key

B1: every live proxy of every member trusts both roots. B2: no live leaf chains to the old root.
"""

import logging
from datetime import timedelta
from typing import Any

import azure.functions as func
import msgspec
from msgspec.structs import replace

from functions.client import Client, with_client
from functions.durable import HOUR, MINUTE, Runbook, Steps, declined
from functions.incoming import received
from functions.trust_steps import (
    app,
    check_member,
    ensure_bundle,
    ensure_control_plane,
    ensure_issuer,
    ensure_old_root_disabled,
    ensure_root,
    ensure_workloads,
    find_members,
    verify_issuer,
    verify_leaves,
    verify_trust,
)
from shared.domain.errors import InvalidEvent, MeshwardError
from shared.domain.events import certificate_near_expiry
from shared.domain.trust import (
    AlreadyRotated,
    Candidate,
    Done,
    Member,
    Phase,
    Retirement,
    Roots,
    Rotated,
    Rotation,
    current_roots,
    renewal_due,
    rotation_of,
)
from shared.wiring import services

log = logging.getLogger("meshward")

_DAY = timedelta(days=1)


@app.event_grid_trigger(arg_name="event")
@with_client(app)
async def on_certificate_event(event: func.EventGridEvent, client: Client) -> None:
    """A certificate nears its expiry: rotate it, if it is a current trust root of ours."""
    try:
        expiring = certificate_near_expiry(received(event))
        if expiring.vault.lower() != services().settings.key_vault_name.lower():
            raise InvalidEvent("ForeignVault", f"vault {expiring.vault} isn't ours")
        rotation = rotation_of(expiring.certificate, await services().key_vault.certificates())
        await client.start_once("rotate_trust_root", rotation.instance_id, rotation)
    except AlreadyRotated as done:
        log.info("nothing to rotate", extra={"event_id": event.id, "reason": done.reason, "why": done.message})
    except MeshwardError as error:
        declined(error, event.id)
        raise


async def request_rotation(client: Client, certificate: str) -> str:
    """Rotate a root by its certificate's name, again if that failed before; the instance id.

    Raises InvalidEvent if the certificate isn't a root of ours, AlreadyRotated if it isn't the current one.
    """
    rotation = rotation_of(certificate, await services().key_vault.certificates())
    return await client.start_again("rotate_trust_root", rotation.instance_id, rotation)


async def sweep(client: Client) -> None:
    """Rotate every current root that is due."""
    for root in current_roots(await services().key_vault.certificates()):
        if renewal_due(root, services().now()):
            await request_rotation(client, root.certificate)


@app.orchestration_trigger(context_name="context")  # type: ignore[arg-type]  # the form with one argument isn't typed
def rotate_trust_root(context: Any) -> Steps[dict[str, Any]]:
    """From the old root to the new one; the result is a `Rotated`."""
    run, rotation = Runbook(context), msgspec.convert(context.get_input(), Rotation)

    run.phase(Phase.PREPARE)
    members = yield from run.step(find_members, rotation)
    yield from run.fan_out(check_member, [Candidate(rotation=rotation, cluster=c) for c in members.clusters])
    roots = yield from run.step(ensure_root, rotation, every=MINUTE / 4)

    run.phase(Phase.DISTRIBUTE, members=len(members.clusters))
    trusting = yield from _spread(run, rotation, Phase.DISTRIBUTE, roots)

    run.phase(Phase.ACTIVATE, proven=f"B1: {_count(trusting)} proxies trust both roots")
    activating = [Member(rotation=rotation, cluster=c, phase=Phase.ACTIVATE, roots=roots) for c in trusting]
    yield from run.fan_out(ensure_issuer, activating)
    active = yield from run.fan_out(verify_issuer, activating)

    run.phase(Phase.SETTLE, proven=f"{sum(a.count for a in active)} identity replicas issue under the new root")
    settling = [replace(m, phase=Phase.SETTLE, since=a.at) for m, a in zip(activating, active, strict=True)]
    renewed = yield from run.fan_out(verify_leaves, settling, every=HOUR, deadline=2 * _DAY)

    run.phase(Phase.RETIRE, proven=f"B2: {sum(r.count for r in renewed)} proxies have renewed their leaves since")
    proven = yield from _spread(run, rotation, Phase.RETIRE, roots)
    retired = yield from run.step(ensure_old_root_disabled, Retirement(rotation=rotation, roots=roots))

    rotated = Rotated(
        trust_domain=rotation.trust_domain,
        old_root=roots.old,
        new_root=roots.new,
        members=list(proven),
        proxies=_count(proven),
        started=members.at,
        activated=max(a.at for a in active),
        finished=retired.at,
    )
    result: dict[str, Any] = msgspec.to_builtins(rotated)
    return result


def _count(proven: dict[str, Done]) -> int:
    return sum(one.count for one in proven.values())


def _spread(run: Runbook, rotation: Rotation, phase: Phase, roots: Roots) -> Steps[dict[str, Done]]:
    """Bring the phase's bundle to every proxy of every member, also of those that join meanwhile; proof by member."""
    proven: dict[str, Done] = {}
    while True:
        found = yield from run.step(find_members, rotation)
        joined = [c for c in found.clusters if c not in proven]
        if not joined:
            return proven
        members = [Member(rotation=rotation, cluster=c, phase=phase, roots=roots) for c in joined]
        yield from run.fan_out(ensure_bundle, members)
        yield from run.fan_out(ensure_control_plane, members, every=MINUTE / 2)
        yield from run.fan_out(ensure_workloads, members, deadline=_DAY)
        proofs = yield from run.fan_out(verify_trust, members, every=5 * MINUTE, deadline=2 * _DAY)
        proven |= dict(zip(joined, proofs, strict=True))
