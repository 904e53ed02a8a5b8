"""How a member gets an issuer, and how that is proven live: in a rotation, and when an issuer is due by its age."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from msgspec.structs import replace

from functions.engine.activities import Activity
from functions.engine.durable import MINUTE, DeadlinePassed, Runbook, Steps
from functions.engine.logs import log
from functions.trust.gates import roots_of
from shared.domain.resource_id import name_of
from shared.domain.trust.certificates import pem
from shared.domain.trust.linkerd.certificates import issuer_certificate
from shared.domain.trust.linkerd.facts import IssuerSecret, ReloadLook
from shared.domain.trust.linkerd.fitness import require_config
from shared.domain.trust.linkerd.gates import pods_without_reload
from shared.domain.trust.linkerd.issuers import IssuerRenewal, require_possession, require_signer_trusted
from shared.domain.trust.linkerd.owners import require_no_other_owner
from shared.domain.trust.linkerd.waves import next_restarts
from shared.domain.trust.phases import Slot
from shared.domain.trust.signals import ReloadMissed
from shared.domain.trust.state import Member, StepProof
from shared.wiring import services

if TYPE_CHECKING:
    from shared.adapters.meshes.linkerd import LinkerdMesh

BETWEEN_LOOKS = 2 * MINUTE
PAUSE_AFTER_WRITE_SECONDS = 5.0  # pods tell their age in whole seconds


class Signer(NamedTuple):
    """A root in Key Vault."""

    name: str
    version: str
    certificate: x509.Certificate


async def signer_in(member: Member, slot: Slot) -> Signer:
    """The rotation's old root or its new one."""
    name, version = member.rotation.certificate(slot), roots_of(member).version(slot)
    return Signer(name, version, await services().rotator.key_vault.certificate(name, version))


async def replace_issuer(
    member: Member | IssuerRenewal,
    mesh: "LinkerdMesh",
    found: IssuerSecret,
    roots: Sequence[Signer],
    now: datetime,
    signer: Signer | None = None,
) -> Signer:
    """Put a new issuer in place of the one that was found; its key is made here and goes nowhere else.

    None but a mesh of the trust domain that proves to hold its issuer under one of the roots gets one: under `signer`,
    or under the same root again. Returns the root that signed.
    """
    from shared.adapters.azure.keys import new_key

    name = name_of(member.cluster)
    require_no_other_owner(name, found)
    require_config(name, await mesh.config(), member.trust_domain)
    held_under = require_possession(name, found, roots, now)
    signer = signer or held_under
    bundle = (await mesh.bundle()).pem
    require_signer_trusted(name, signer.certificate, bundle)
    public, private = new_key()
    lifetime = member.policy.issuer_lifetime
    unsigned = issuer_certificate(member.trust_domain, public, signer.certificate, now, lifetime)
    issuer = await services().rotator.key_vault.sign(unsigned, signer.name, signer.version)
    await mesh.write_issuer(found, certificate=pem(issuer), key=private, bundle=bundle, now=now)
    return signer


async def look_at_reload(
    of: Member | IssuerRenewal, mesh: "LinkerdMesh", written_at: datetime, expires_at: datetime, now: datetime
) -> ReloadLook:
    """Which replicas of the identity controller seem to have missed the new issuer.

    Those that were `suspected` minutes ago, and still are, are restarted: outside of maintenance windows, too, where
    what they use would expire first.
    """
    suspects = pods_without_reload(await mesh.identity_pods(now), expires_at, written_at, now)
    missed = [replica for replica in suspects if replica.pod in of.suspected]
    if missed:
        names = [replica.pod for replica in missed]
        stale = [p for p in await mesh.pod_proxies() if p.id in names]
        ends = min((replica.issuer_expires_at or now for replica in missed), default=None)
        due = next_restarts(await mesh.workloads(), stale, now, of.policy, since=written_at, deadline=ends)
        for workload in due:
            await mesh.restart(workload, now)
            log(ReloadMissed(cluster=of.cluster, pods=names))
    return ReloadLook(pods=[replica.pod for replica in suspects])


def until_live[Of: (Member, IssuerRenewal)](
    run: Runbook,
    verify: Activity[Of, StepProof],
    look: Activity[Of, ReloadLook],
    of: Of,
    *,
    first_look_after: timedelta = 2 * MINUTE,
) -> Steps[StepProof]:
    """Wait until each replica uses the new issuer; one that seems to have missed it in two looks is restarted."""
    try:
        return (yield from run.step(verify, of, every=MINUTE / 2, deadline=first_look_after))
    except DeadlinePassed:
        seen = yield from run.step(look, of)
    if seen.pods:
        yield from run.pause(BETWEEN_LOOKS)
        yield from run.step(look, replace(of, suspected=seen.pods))
    return (yield from run.step(verify, of, every=MINUTE / 2))
