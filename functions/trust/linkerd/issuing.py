"""How a member gets an issuer, and how that is proven live: in a rotation, and when an issuer is due by its age."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509

from functions.engine.logs import log
from functions.trust.gates import roots_of
from shared.domain.resource_id import name_of
from shared.domain.trust.certificates import pem
from shared.domain.trust.linkerd.certificates import issuer_certificate
from shared.domain.trust.linkerd.facts import IssuerSecret
from shared.domain.trust.linkerd.fitness import require_config
from shared.domain.trust.linkerd.gates import issuer_gate, pods_without_reload
from shared.domain.trust.linkerd.issuers import IssuerRenewal, require_possession
from shared.domain.trust.linkerd.owners import require_no_other_owner
from shared.domain.trust.linkerd.waves import next_restarts
from shared.domain.trust.phases import Slot
from shared.domain.trust.signals import ReloadMissed
from shared.domain.trust.state import Member
from shared.domain.trust.verdicts import GateVerdict
from shared.wiring import services

if TYPE_CHECKING:
    from shared.adapters.meshes.linkerd import LinkerdMesh

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
    public, private = new_key()
    lifetime = member.policy.issuer_lifetime
    unsigned = issuer_certificate(member.trust_domain, public, signer.certificate, now, lifetime)
    issuer = await services().rotator.key_vault.sign(unsigned, public, signer.name, signer.version)
    bundle = (await mesh.bundle()).pem
    await mesh.write_issuer(found, certificate=pem(issuer), key=private, bundle=bundle, now=now)
    return signer


async def ensure_reloaded(
    member: Member | IssuerRenewal, mesh: "LinkerdMesh", written_at: datetime, expires_at: datetime, now: datetime
) -> GateVerdict:
    """Restart replicas of the identity controller that missed the new issuer; whether every replica uses it."""
    replicas = await mesh.identity_pods(now)
    if missed := pods_without_reload(replicas, expires_at, written_at, now):
        stale = [p for p in await mesh.pod_proxies() if p.id in missed]
        for workload in next_restarts(await mesh.workloads(), stale, now, member.policy):
            await mesh.restart(workload, now)
            log(ReloadMissed(cluster=member.cluster, pods=missed))
    return issuer_gate(replicas, expires_at, written_at)
