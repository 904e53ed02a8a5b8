"""The stage of a member, looked at again: whether what it has proven is still true, and which leaves live."""

from typing import TYPE_CHECKING

from functions.trust.gates import roots_of
from functions.trust.linkerd.issuing import signer_in
from shared.domain.resource_id import name_of
from shared.domain.trust.linkerd import standing
from shared.domain.trust.linkerd.certificates import issuer_expiry
from shared.domain.trust.linkerd.facts import Bundle, IssuerSecret, Proxy
from shared.domain.trust.linkerd.gates import (
    issuer_gate,
    leaf_gate,
    may_be_renewed,
    seconds_until_renewed,
    started_after,
)
from shared.domain.trust.phases import STAGES, Slot
from shared.domain.trust.policy import LEAF_LIFETIME
from shared.domain.trust.state import Member
from shared.domain.trust.verdicts import GateVerdict
from shared.wiring import services

if TYPE_CHECKING:
    from shared.adapters.meshes.linkerd import LinkerdMesh


def require_trust_kept(member: Member, bundle: Bundle, proxies: list[Proxy]) -> None:
    """Raise PermanentError unless both roots are trusted as they were proven to be, on the way to the new one."""
    stage = STAGES[member.phase]
    if stage.signer is Slot.NEW and not stage.downtime:
        standing.require_trust_kept(name_of(member.cluster), member.phase, roots_of(member), bundle, proxies)


async def require_signer_kept(member: Member, issuer: IssuerSecret) -> None:
    """Raise PermanentError unless the issuer is of the root that it was proven to be of."""
    stage, name, now = STAGES[member.phase], name_of(member.cluster), services().now()
    if stage.downtime:
        return
    if member.activated_at:
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
    older = [p for p in proxies if not started_after(p, since)]
    older.sort(key=lambda p: p.created_at, reverse=True)  # the youngest renews last
    refreshed_at = await mesh.leaves_refreshed_at(older[:1], lifetime)
    if may_be_renewed(refreshed_at.values(), since, lifetime, now):
        refreshed_at |= await mesh.leaves_refreshed_at(older[1:], lifetime)
    return leaf_gate(proxies, refreshed_at, since), seconds_until_renewed(refreshed_at.values(), lifetime, now)
