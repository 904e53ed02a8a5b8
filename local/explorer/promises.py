"""What holds in every state: what the app may do to a cluster, to a pair of them, to the roots, and to an operator.

Rules:
- An act of the app never parts a pair that shared a trusted root, nor will the leaf that is renewed or the pod that is
  made after it. What a hazard has parted already is no fault of the app. A declared replacement parts everybody.
- The app writes no issuer that a proxy of the member doesn't trust, and no bundle without the root of one of its
  leaves.
- In a phase, a workload is restarted a second time only for a pod that was made after the first, and has started, or
  for a bundle or an issuer that was written after the first.
- A root's key is disabled only while the other one's can sign, and no member that nothing has befallen needs it.
- Where a command is documented to act it acts, and nowhere else.
- A hold says why, and names whom.
"""

from collections.abc import Iterable

from local.explorer.cluster import IDENTITY, Exposure, ModelCluster
from local.explorer.mesh import Act
from local.explorer.state import GONE, MemberState, State
from local.explorer.world import FLEET_NOW
from shared.domain.trust.moves import BOTH_WAYS, COMMANDS, MOVES, RotationEvent
from shared.domain.trust.phases import Mode, Phase
from shared.domain.trust.policy import TrustPolicy
from shared.domain.trust.rounds import apply_commands
from shared.domain.trust.state import Hold, Member, RotationState

REPLACED = "issuer and leaves at the end of a replacement"
AWAITED = frozenset({REPLACED})  # promises that the app doesn't keep yet

_BEFORE_RETIRE = frozenset({Phase.PREPARE, Phase.DISTRIBUTE, Phase.ACTIVATE, Phase.SETTLE})
_BACK = frozenset({Phase.REISSUE, Phase.WITHDRAW, Phase.ABORTED})
_UNTRUSTED_YET = frozenset({Phase.PREPARE, Phase.DISTRIBUTE})


def broken_by(acts: Iterable[Act], member: Member) -> str:
    """The promise about one cluster that these acts break; empty: none."""
    declared = member.phase is Phase.REPLACE
    for act in acts:
        if not declared and (fault := _unknown_issuer(act) or _orphaned_leaf(act) or _parted_itself(act)):
            return fault
        if fault := _needless_restart(act):
            return fault
    return ""


def _unknown_issuer(act: Act) -> str:
    written, letter = act.after.issuer_at != act.before.issuer_at, act.after.issuer
    trusted = [act.before.bundle, *(pod.roots for pod in act.before.pods if pod.started)]
    return "an issuer is written that the member doesn't trust" if written and _some_lack(trusted, letter) else ""


def _orphaned_leaf(act: Act) -> str:
    written = act.after.bundle_at != act.before.bundle_at
    orphaned = {pod.leaf for pod in act.before.pods if pod.leaf} - {*act.after.bundle}
    lost = orphaned - ({pod.leaf for pod in act.before.pods if pod.leaf} - {*act.before.bundle})
    return "a bundle is written without the root of a leaf" if written and lost else ""


def _parted_itself(act: Act) -> str:
    before, after = act.before.exposure, act.after.exposure
    return "proxies of one cluster are parted" if _parted(after, after) - _parted(before, before) else ""


def _needless_restart(act: Act) -> str:
    last = dict(act.before.restarted)
    for kind, rank in act.after.restarted:
        before = last.get(kind, rank)
        made = any(pod.kind == kind and pod.made > before and pod.started for pod in act.before.pods)
        newer = made or max(act.before.bundle_at, act.before.issuer_at) > before
        if before != rank and not newer:
            return f"{kind} is restarted again without a newer reason"
    return ""


def parted_by(act: Act, other: Exposure) -> str:
    """What the act parts from a cluster with this exposure, in words; empty: nothing."""
    lost = _parted(act.after.exposure, other) - _parted(act.before.exposure, other)
    return f"two clusters share no trusted root any more, as one {act.word}" if lost else ""


def _parted(one: Exposure, other: Exposure) -> set[tuple[bool, str, str]]:
    """Leaves, and roots of the other's proxies that don't trust them, in both directions."""
    ways = ((True, one.leaves, other.trusted), (False, other.leaves, one.trusted))
    return {
        (way, leaf, roots) for way, leaves, trusted in ways for leaf in leaves for roots in trusted if leaf not in roots
    }


def _some_lack(trusted: Iterable[str], letter: str) -> bool:
    return any(letter not in roots for roots in trusted)


def broken_by_move(before: State, after: State) -> str:
    """The promise that a round has broken which has changed roots, or ended the rotation; empty: none."""
    for slot, letter in enumerate("ON"):
        if before.enabled[slot] and not after.enabled[slot]:
            if not after.enabled[1 - slot]:
                return "no root is left that can sign"
            if any(_needs(one, letter, before.phase) for one in after.members if _is_sound(one)):
                return "a root is disabled that a member still needs"
    if after.phase in (Phase.ROTATED, Phase.ABORTED):
        return _unfinished(after, before.phase)
    return ""


def _needs(one: MemberState, letter: str, phase: Phase) -> bool:
    seen = one.cluster
    leaves = {pod.leaf for pod in seen.pods if pod.started}
    return letter in {seen.issuer, seen.using, *leaves} and not _is_excused(phase)


def _is_excused(phase: Phase) -> bool:
    return phase is Phase.REPLACE and REPLACED in AWAITED


def _is_sound(one: MemberState) -> bool:
    return not (one.out or one.struck == 1 or one.there == GONE or one.another_life)


def _unfinished(state: State, before: Phase) -> str:
    """Why the end isn't what it says."""
    letter, other = ("N", 0) if state.phase is Phase.ROTATED else ("O", 1)
    if state.root_exists and state.made and state.enabled[other]:
        return f"the rotation is {state.phase}, and the other root can still sign"
    wrong = [one for one in state.members if _is_sound(one) and not _is_of(one.cluster, letter)]
    return (
        f"the rotation is {state.phase}, and a member isn't" if state.made and wrong and not _is_excused(before) else ""
    )


def _is_of(cluster: ModelCluster, letter: str) -> bool:
    started = [pod for pod in cluster.pods if pod.started]
    trusted = {cluster.bundle, *(pod.roots for pod in started if pod.kind != IDENTITY)}
    leaves = {cluster.issuer, *(pod.leaf for pod in started)}
    served = letter in cluster.identity.roots  # it may trust more: when a bundle was put back, nobody can tell
    return served and trusted == {letter} and leaves == {letter}


def acts_here(command: RotationEvent, phase: Phase, mode: Mode) -> bool:
    """Whether the docs say that the command acts."""
    match command:
        case RotationEvent.ABORT:
            return phase in _BEFORE_RETIRE
        case RotationEvent.SWIFT:
            return mode is not Mode.REPLACE
        case RotationEvent.REPLACE:
            return phase in _UNTRUSTED_YET or mode is not Mode.SWIFT
    return True


def misplaced_command(state: State) -> str:
    """The command that the API takes where the docs say that it doesn't act, or refuses where it does; empty: none."""
    for command in COMMANDS:
        if ((state.phase, command, state.mode) in MOVES) != acts_here(command, state.phase, state.mode):
            return f"{command} isn't taken or refused as documented in {state.phase}, mode {state.mode}"
    return ""


def unsaid(hold: Hold | None) -> str:
    """What a hold doesn't say; empty: it says all."""
    if hold is None:
        return "a phase is late, or a member refuses, and the rotation isn't on hold"
    return "" if hold.reason and hold.message and hold.blockers else "a hold doesn't say why, or whom it waits for"


def broken_by_expiry(state: State, begun: RotationState) -> str:
    """Whether a round goes on to a root that is about to expire although it can still turn round; empty: it doesn't."""
    leads_back = state.short and state.made and begun.phase in BOTH_WAYS
    return "the way back leads to a root that expires before it can end" if leads_back else ""


def broken_by_command(state: State, before: RotationState, begun: RotationState) -> str:
    """The promise that a round breaks as it begins with the commands that have waited for it; empty: none."""
    refused = apply_commands(before, FLEET_NOW, TrustPolicy())[1]
    for command in state.commands:
        if not (state.short and command is RotationEvent.ABORT) and _acts(before, command) != (command not in refused):
            return f"{command} {'is refused' if command in refused else 'acts'} in {before.phase}, mode {before.mode}"
    acted = RotationEvent.ABORT in state.commands and RotationEvent.ABORT not in refused
    return "abort doesn't lead back" if acted and begun.phase not in _BACK else ""


def _acts(state: RotationState, command: RotationEvent) -> bool:
    return acts_here(command, state.phase, state.mode)
