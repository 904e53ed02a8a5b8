"""Renew the issuers of all members, each at half of its life.

    hourly ─▶ renew_issuers, once per hour ─▶ renew_issuer per member, side by side
                find_issuers                    ensure_renewed_issuer   due? a new key, signed in Key Vault
                                                verify_renewed_issuer   each identity replica issues under it

A member that can't be renewed doesn't keep others from it: it is logged, and tried again in the next hour.
"""

from datetime import timedelta

import azure.durable_functions as df

from functions.engine.activities import activity
from functions.engine.client import Client
from functions.engine.durable import MINUTE, Runbook, Steps, orchestrator
from functions.engine.logs import log
from functions.trust.linkerd.issuing import Place, Signer, issue, proven_live
from functions.trust.linkerd.restarts import APART
from shared.domain.cluster import cluster_id
from shared.domain.errors import NotConverged, PermanentError
from shared.domain.trust.linkerd.issuers import Renewal, Renewed, Sweep, issuer_of, renewal_due, signed_by
from shared.domain.trust.linkerd.owners import check_drift
from shared.domain.trust.members import members_of
from shared.domain.trust.mesh import Mesh
from shared.domain.trust.roots import enabled_roots
from shared.domain.trust.rounds import StepProof
from shared.domain.trust.signals import IssuerRenewed
from shared.wiring import services

app = df.Blueprint()

WITHIN = timedelta(minutes=50)  # the next hour's run begins anew


async def sweep(client: Client) -> None:
    """Look at every issuer, once an hour."""
    hour = services().now().strftime("%Y%m%dT%H")
    await client.start_once("renew_issuers", f"issuers-{hour}", Sweep())


@orchestrator(app)
def renew_issuers(run: Runbook, sweep: Sweep) -> Steps[list[Renewed]]:
    """All members of all trust domains; the result names those whose issuer couldn't be renewed."""
    found = yield from run.step(find_issuers, sweep)
    results = yield from run.sharded(renew_some, found.renewals)
    return [renewed for renewed in results if renewed.reason]


@orchestrator(app)
def renew_some(run: Runbook, renewals: list[Renewal]) -> Steps[list[Renewed]]:
    """Some members, side by side."""
    return (yield from run.each(renew_issuer, renewals))


@orchestrator(app)
def renew_issuer(run: Runbook, renewal: Renewal) -> Steps[Renewed]:
    """One member."""
    run.limit(WITHIN)
    try:
        yield from run.step(ensure_renewed_issuer, renewal)
        yield from run.step(verify_renewed_issuer, renewal, every=MINUTE / 2)
    except PermanentError as error:
        return Renewed(cluster=renewal.cluster, reason=error.reason, message=error.message)
    return Renewed(cluster=renewal.cluster)


@activity(app)
async def find_issuers(sweep: Sweep) -> Sweep:  # noqa: ARG001  # an activity takes one struct
    """Every member of every trust domain that has a root in the vault."""
    roots = enabled_roots(Mesh.LINKERD, await services().rotator.key_vault.certificates())
    clusters, policy = await services().rotator.clusters.list(), await services().policy()
    renewals = []
    for domain, names in roots.items():
        try:
            members, _ = members_of(Mesh.LINKERD, domain, clusters)
        except PermanentError:
            continue  # a trust domain without members has no issuers
        renewals += [
            Renewal(trust_domain=domain, cluster=c, roots=names, policy=policy.at(domain, c).trust) for c in members
        ]
    return Sweep(renewals=renewals)


@activity(app)
async def ensure_renewed_issuer(renewal: Renewal) -> StepProof:
    """The member's issuer has more than half of its life before it."""
    name = cluster_id(renewal.cluster).name
    async with services().rotator.linkerd.mesh(renewal.cluster) as mesh:
        found, now = await mesh.issuer(), services().now()
        issuer = issuer_of(name, found.certificate)
        if renewal_due(issuer, now):
            check_drift(name, found)
            signer = signed_by(name, issuer, await _roots(renewal))
            await issue(Place(renewal.cluster, renewal.trust_domain, mesh, renewal.policy), found, signer, now)
            log(IssuerRenewed(cluster=renewal.cluster, root=signer.name))
            raise NotConverged("IssuerWritten", f"the issuer of {name} is written", APART)
    return StepProof(at=now)


@activity(app)
async def verify_renewed_issuer(renewal: Renewal) -> StepProof:
    """Every replica of the identity controller uses the issuer that we wrote last."""
    name = cluster_id(renewal.cluster).name
    async with services().rotator.linkerd.mesh(renewal.cluster) as mesh:
        found, now = await mesh.issuer(), services().now()
        if found.applied is None:
            return StepProof(at=now)  # not ours yet
        expires = issuer_of(name, found.certificate).not_valid_after_utc
        place = Place(renewal.cluster, renewal.trust_domain, mesh, renewal.policy)
        verdict = await proven_live(place, found.applied, expires, now)
        if verdict.reason != "Proven":
            raise NotConverged(verdict.reason, f"{name}: {verdict.message}", blockers=verdict.blockers)
    return StepProof(at=now, count=verdict.seen)


async def _roots(renewal: Renewal) -> list[Signer]:
    vault = services().rotator.key_vault
    return [Signer(name, *await vault.latest(name)) for name in renewal.roots]
