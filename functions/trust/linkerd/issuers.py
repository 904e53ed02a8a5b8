"""Renew the issuers of all members, daily or as the policy says, and tell how long each lasts.

    hourly ─▶ renew_issuers, once per hour ─▶ renew_issuer per member, side by side
                find_issuers                    ensure_renewed_issuer   due? a new key, signed in Key Vault
                                                verify_renewed_issuer   each identity replica issues under it
                look_for_missed_renewal if not: which replicas have missed it? in two looks: a restart
                tell_issuer             how many hours it lasts, and why it couldn't be renewed

A member whose issuer can't be renewed doesn't hold up the others: it is tried again in the next hour.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import azure.durable_functions as df
from cryptography import x509

from functions.engine.activities import activity
from functions.engine.client import Client
from functions.engine.durable import MINUTE, DeadlinePassed, Runbook, Steps, orchestrator
from functions.engine.logs import log
from functions.trust.gates import require_passed
from functions.trust.linkerd.issuing import (
    PAUSE_AFTER_WRITE_SECONDS,
    Signer,
    look_at_reload,
    replace_issuer,
    until_live,
)
from functions.trust.roots import RootsSeen, roots_seen, tell_refused, tell_unsigned
from shared.domain.errors import NotConverged, PermanentError
from shared.domain.resource_id import name_of
from shared.domain.trust.linkerd.facts import IssuerSecret, ReloadLook
from shared.domain.trust.linkerd.gates import RELOAD_PATIENCE, issuer_gate
from shared.domain.trust.linkerd.issuers import (
    ISSUER_SEEN,
    IssuerRenewal,
    IssuerSweep,
    RenewalOutcome,
    SigningRoot,
    is_due,
    issuer_of,
    require_trusted,
    seen_issuer,
    signed_by,
)
from shared.domain.trust.linkerd.owners import require_unchanged
from shared.domain.trust.members import members_of
from shared.domain.trust.mesh import Mesh
from shared.domain.trust.signals import (
    ClusterNotAdmitted,
    IssuerInDanger,
    IssuerLookedAt,
    IssuerNotRenewed,
    IssuerRenewed,
)
from shared.domain.trust.state import StepProof
from shared.domain.unique import unique_name
from shared.wiring import services

if TYPE_CHECKING:
    from shared.adapters.meshes.linkerd import LinkerdMesh

app = df.Blueprint()

FIRST_LOOK = RELOAD_PATIENCE + MINUTE
RENEWAL_TIME_LIMIT = timedelta(minutes=50)  # then comes the next hour's run


async def sweep(client: Client) -> None:
    """Look at every issuer, once an hour."""
    hour = services().now().strftime("%Y%m%dT%H")
    await client.start_once("renew_issuers", f"issuers-{hour}", IssuerSweep())


@orchestrator(app)
def renew_issuers(run: Runbook, sweep: IssuerSweep) -> Steps[list[RenewalOutcome]]:
    """All members of all trust domains; the result names those whose issuer couldn't be renewed."""
    found = yield from run.step(find_issuers, sweep)
    results = yield from run.sharded_flows(renew_some, found.renewals)
    return [outcome for outcome in results if outcome.reason]


@orchestrator(app)
def renew_some(run: Runbook, renewals: list[IssuerRenewal]) -> Steps[list[RenewalOutcome]]:
    """Some members, side by side."""
    return (yield from run.flows(renew_issuer, renewals))


@orchestrator(app)
def renew_issuer(run: Runbook, renewal: IssuerRenewal) -> Steps[RenewalOutcome]:
    """One member."""
    run.limit(RENEWAL_TIME_LIMIT)
    try:
        yield from run.step(ensure_renewed_issuer, renewal)
        yield from until_live(run, verify_renewed_issuer, look_for_missed_renewal, renewal, first_look_after=FIRST_LOOK)
        outcome = RenewalOutcome(cluster=renewal.cluster)
    except DeadlinePassed as late:
        why = late.waited
        outcome = RenewalOutcome(cluster=renewal.cluster, reason=why.reason, message=why.message)
    except PermanentError as error:
        outcome = RenewalOutcome(cluster=renewal.cluster, reason=error.reason, message=error.message)
    yield from run.step(tell_issuer, outcome)
    return outcome


@activity(app)
async def find_issuers(sweep: IssuerSweep) -> IssuerSweep:  # noqa: ARG001  # an activity takes one struct
    """Every member of every trust domain that has a root in the vault."""
    seen = await roots_seen()
    await tell_refused(seen)
    signing, fleet, policy = await _signing_roots(seen), await services().rotator.fleet(), await services().policy()
    tell_unsigned(seen, fleet)
    for claim in (c for c in fleet.claims() if c.trust_domain in signing):
        log(ClusterNotAdmitted(cluster=claim.cluster, trust_domain=claim.trust_domain, why=claim.message))
    renewals = []
    for domain, (admitted, roots) in signing.items():
        try:
            members, _ = members_of(Mesh.LINKERD, domain, fleet)
        except PermanentError:
            continue  # a trust domain without members has no issuers
        renewals += [
            IssuerRenewal(
                trust_domain=domain, cluster=c, roots=roots, policy=policy.at(domain, c).trust, admitted=admitted
            )
            for c in members
        ]
    return IssuerSweep(renewals=renewals)


async def _signing_roots(seen: RootsSeen) -> dict[str, tuple[bool, list[SigningRoot]]]:
    """The roots that may sign, by trust domain, and whether they are of record; claims where none was ever admitted."""
    lineages = [each for each in seen.lineages if each.mesh is Mesh.LINKERD]
    found = {
        each.trust_domain: (True, [SigningRoot(certificate=r.certificate, version=r.version) for r in each.enabled])
        for each in lineages
    }
    for claim in seen.claims:
        if claim.mesh is Mesh.LINKERD and seen.never_admitted(claim.trust_domain):
            versions = await services().rotator.key_vault.versions(claim.certificate)
            claimed = [SigningRoot(certificate=claim.certificate, version=v.id) for v in versions if v.enabled]
            found.setdefault(claim.trust_domain, (False, []))[1].extend(claimed)
    return found


@activity(app)
async def ensure_renewed_issuer(renewal: IssuerRenewal) -> StepProof:
    """The issuer isn't due."""
    name = name_of(renewal.cluster)
    async with services().rotator.linkerd.mesh(renewal.cluster, renewal.trust_domain) as mesh:
        found, now = await mesh.issuer(), services().now()
        issuer = issuer_of(name, found.certificate)
        if is_due(issuer, renewal.policy.renew_issuers_every, now):
            require_unchanged(name, found)
            roots = await _roots(renewal, now)
            if not renewal.admitted:
                await _require_trusted(mesh, name, found, roots, now)
            signer = await replace_issuer(renewal, mesh, found, roots, now)
            log(IssuerRenewed(cluster=renewal.cluster, root=signer.name))
            raise NotConverged("IssuerWritten", f"the issuer of {name} is written", PAUSE_AFTER_WRITE_SECONDS)
    await _remember(renewal.cluster, issuer)
    return StepProof(at=now)


async def _remember(cluster: str, issuer: x509.Certificate) -> None:
    """Note until when the member's issuer is valid; if somebody else does so at the same time, that is as good."""
    ledger, path, now = services().ledger, _seen_path(cluster), ISSUER_SEEN.encoded(seen_issuer(cluster, issuer))
    if (before := await ledger.read(path)) != now:
        await ledger.update(path, now, seen=before)


def _seen_path(cluster: str) -> str:
    return ISSUER_SEEN.path(member=unique_name(name_of(cluster), cluster))


@activity(app)
async def tell_issuer(outcome: RenewalOutcome) -> StepProof:
    """How long the member's issuer lasts, as it was seen last, and why it couldn't be renewed."""
    now, seen = services().now(), await services().ledger.find(ISSUER_SEEN, _seen_path(outcome.cluster))
    left = seen.hours_left(now) if seen else None
    if left is not None:
        log(IssuerLookedAt(cluster=outcome.cluster, hours_left=left))
    if outcome.reason:
        kind = IssuerInDanger if seen and seen.is_ending(now) else IssuerNotRenewed
        log(kind(cluster=outcome.cluster, hours_left=left, reason=outcome.reason, error=outcome.message))
    return StepProof(at=now)


@activity(app)
async def verify_renewed_issuer(renewal: IssuerRenewal) -> StepProof:
    """Every replica of the identity controller uses the issuer that Meshward wrote last."""
    async with services().rotator.linkerd.mesh(renewal.cluster, renewal.trust_domain) as mesh:
        found, now = await mesh.issuer(), services().now()
        if found.written_at is None:
            return StepProof(at=now)  # Meshward hasn't written any yet
        expires_at = issuer_of(name_of(renewal.cluster), found.certificate).not_valid_after_utc
        return require_passed(renewal.cluster, issuer_gate(await mesh.identity_pods(now), expires_at, found.written_at))


@activity(app)
async def look_for_missed_renewal(renewal: IssuerRenewal) -> ReloadLook:
    """Which replicas seem to have missed the renewal; those that did minutes ago as well are restarted."""
    async with services().rotator.linkerd.mesh(renewal.cluster, renewal.trust_domain) as mesh:
        found, now = await mesh.issuer(), services().now()
        if found.written_at is None:
            return ReloadLook()
        expires_at = issuer_of(name_of(renewal.cluster), found.certificate).not_valid_after_utc
        return await look_at_reload(renewal, mesh, found.written_at, expires_at, now)


async def _require_trusted(
    mesh: "LinkerdMesh", cluster: str, found: IssuerSecret, roots: list[Signer], now: datetime
) -> None:
    issuer = issuer_of(cluster, found.certificate)
    root = signed_by(cluster, issuer, roots).certificate
    require_trusted(cluster, issuer, root, (await mesh.bundle()).pem, now)


async def _roots(renewal: IssuerRenewal, now: datetime) -> list[Signer]:
    """The current roots: nothing is signed under one that has expired."""
    vault = services().rotator.key_vault
    found = [Signer(r.certificate, r.version, await vault.certificate(r.certificate, r.version)) for r in renewal.roots]
    return [root for root in found if now < root.certificate.not_valid_after_utc]
