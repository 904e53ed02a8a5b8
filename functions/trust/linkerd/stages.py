"""The stage of a member, looked at again: whether what it has proven is still true, and which leaves live."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from functions.trust.gates import require_gate_passed, roots_of
from functions.trust.linkerd.issuing import signer_in
from shared.domain.resource_id import name_of
from shared.domain.trust.linkerd import standing
from shared.domain.trust.linkerd.certificates import issuer_expiry
from shared.domain.trust.linkerd.facts import Bundle, IssuerSecret, Proxy
from shared.domain.trust.linkerd.gates import (
    desired_trust,
    holds_older_leaf,
    issuer_gate,
    leaf_gate,
    may_be_renewed,
    older_leaves_are_over,
    seconds_until_renewed,
    trust_gate,
)
from shared.domain.trust.phases import STAGES, Slot
from shared.domain.trust.policy import LEAF_LIFETIME
from shared.domain.trust.state import Member
from shared.domain.trust.verdicts import GateVerdict
from shared.wiring import services

if TYPE_CHECKING:
    from shared.adapters.meshes.linkerd import LinkerdMesh


def require_trust_kept(member: Member, bundle: Bundle, proxies: list[Proxy]) -> None:
    """Raise PermanentError unless both roots are trusted as they were proven to be.

    Where both are brought to the proxies first, on the way back, it raises NotConverged until they are.
    """
    stage = STAGES[member.phase]
    if stage.trusted != frozenset(Slot):
        return
    if stage.activates and stage.signer is Slot.OLD:
        desired = desired_trust(member.phase, roots_of(member), bundle)
        require_gate_passed(member, trust_gate([p for p in proxies if p.started_at], desired))
    else:
        standing.require_trust_kept(name_of(member.cluster), member.phase, roots_of(member), bundle, proxies)


async def require_signer_kept(member: Member, issuer: IssuerSecret) -> None:
    """Raise PermanentError unless the issuer is of the root that it was proven to be of."""
    stage, name, now = STAGES[member.phase], name_of(member.cluster), services().now()
    if stage.downtime:
        return
    if member.activated_at and not stage.activates:
        signer = await signer_in(member, stage.signer)
        standing.require_signer_kept(name, issuer.certificate, signer.certificate, now)
    for slot in set(Slot) - stage.trusted:
        dropped = await signer_in(member, slot)
        standing.require_not_signed(name, issuer.certificate, dropped.certificate, now)


async def replicas_verdict(member: Member, mesh: "LinkerdMesh", issuer: IssuerSecret) -> GateVerdict:
    """Whether every replica of the identity controller uses the issuer, which is of the phase's root."""
    now, signer = services().now(), await signer_in(member, STAGES[member.phase].signer)
    expires_at = issuer_expiry(issuer.certificate, signer.certificate, now)
    assert expires_at, "require_signer_kept comes first"
    assert member.activated_at
    return issuer_gate(await mesh.identity_pods(now), expires_at, issuer.written_at or member.activated_at)


async def leaves_verdict(member: Member, mesh: "LinkerdMesh", proxies: list[Proxy]) -> tuple[GateVerdict, float]:
    """Whether every live proxy has got its leaf since the issuer was proven; in how many seconds to look again."""
    since, config, now = member.activated_at, await mesh.config(), services().now()
    assert since
    lifetime = config.leaf_lifetime if config else LEAF_LIFETIME
    over = older_leaves_are_over(since, lifetime, now)
    refreshed_at = {} if over else await _refreshed_at(mesh, proxies, since, lifetime, now)
    verdict = leaf_gate(proxies, refreshed_at, since, over=over)
    return verdict, seconds_until_renewed(refreshed_at.values(), since, lifetime, now)


async def _refreshed_at(
    mesh: "LinkerdMesh", proxies: list[Proxy], since: datetime, lifetime: timedelta, now: datetime
) -> dict[str, datetime | None]:
    """When proxies that may hold an older leaf got theirs: the youngest, which renews last, and then the others."""
    older = sorted((p for p in proxies if holds_older_leaf(p, since)), key=lambda p: p.created_at, reverse=True)
    answering = [p for p in older if not p.ending]  # those of a lost node would be waited for in vain
    found: dict[str, datetime | None] = {p.id: None for p in older if p.ending}
    found |= await mesh.leaves_refreshed_at(answering[:1], lifetime)
    if may_be_renewed(found.values(), since, lifetime, now):
        found |= await mesh.leaves_refreshed_at(answering[1:], lifetime)
    return found
