"""How a member gets an issuer, and how it is proven live: for rotations, and for issuers that just grow old."""

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509

from functions.engine.logs import log
from shared.domain.cluster import cluster_id
from shared.domain.trust.certificates import pem
from shared.domain.trust.linkerd.certificates import issuer_certificate
from shared.domain.trust.linkerd.facts import IssuerSecret
from shared.domain.trust.linkerd.gates import issuer_gate, reload_missed
from shared.domain.trust.linkerd.owners import check_owner
from shared.domain.trust.linkerd.waves import next_restarts
from shared.domain.trust.policy import TrustPolicy
from shared.domain.trust.signals import ReloadMissed
from shared.domain.trust.verdicts import GateVerdict
from shared.wiring import services

if TYPE_CHECKING:
    from shared.adapters.meshes.linkerd import LinkerdMesh


class Place(NamedTuple):
    """A member's mesh, opened."""

    cluster: str
    trust_domain: str
    mesh: "LinkerdMesh"
    policy: TrustPolicy


class Signer(NamedTuple):
    """A root in Key Vault: name, version and certificate."""

    name: str
    version: str
    certificate: x509.Certificate


async def issue(place: Place, found: IssuerSecret, signer: Signer, now: datetime) -> None:
    """Put a new issuer in place of the one that was found; its key is made here and goes nowhere else."""
    from shared.adapters.azure.keys import new_key

    check_owner(cluster_id(place.cluster).name, found)
    public_key, private_key = new_key()
    lifetime = place.policy.issuer_lifetime
    wanted = issuer_certificate(place.trust_domain, public_key, signer.certificate, now, lifetime)
    issuer = await services().rotator.key_vault.sign(wanted, public_key, signer.name, signer.version)
    trusted = (await place.mesh.bundle()).text
    await place.mesh.write_issuer(found, certificate=pem(issuer), key=private_key, bundle=trusted, now=now)


async def proven_live(place: Place, applied: datetime, expires: datetime, now: datetime) -> GateVerdict:
    """Whether every replica of the identity controller uses the issuer; one that missed its reload is restarted."""
    replicas = await place.mesh.identity_replicas(now)
    if missed := reload_missed(replicas, expires, applied, now):
        stale = [p for p in await place.mesh.pod_proxies() if p.id in missed]
        for workload in next_restarts(await place.mesh.workloads(), stale, now, place.policy):
            await place.mesh.restart(workload, now)
            log(ReloadMissed(cluster=place.cluster, pods=missed))
    return issuer_gate(replicas, expires, applied)
