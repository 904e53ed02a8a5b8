"""The app without one of its rules, moves, steps or facts of a phase: a search has to find what that breaks.

Rules:
- Where the app has a table (moves, phases, steps), there is a mutant for every row of it. So a new row has its mutant.
- A rule that a function keeps is cut by what takes the function's place.
- A mutant is searched within the smallest bound that shows what it breaks.
"""

from collections.abc import Callable, Iterator
from typing import Any

from functions.trust.linkerd.phases import PHASES
from local.explorer.cut import (
    LINKERD,
    QUIET,
    STRUCK,
    STRUCK_BACK,
    STRUCK_PAIR,
    TRUST,
    TURNED,
    Cut,
    no,
    nothing,
    nothing_async,
    passed,
    passed_async,
    yes,
)
from local.explorer.faults import faults
from local.explorer.member_work import steps_of
from local.explorer.roots import ROTATION
from local.explorer.search import Bound
from shared.domain.trust.moves import MOVES, TABLE, RotationEvent
from shared.domain.trust.phases import STAGES, Mode, Phase, Slot
from shared.domain.trust.policy import TrustPolicy
from shared.domain.trust.state import Member


def mutants() -> dict[str, Cut]:
    """All of them, by what they are without."""
    found = {**_moves(), **_steps(), **_stages(), **_rules(), **faults()}
    return {name: cut for name, cut in found.items() if name not in _OTHERWISE_KEPT}


def _moves() -> dict[str, Cut]:
    """One for each row of the table, and one for each command that stays in a phase."""
    found = {}
    for move in TABLE:
        gone = {(move.phase, move.event, mode) for mode in move.modes}
        rows = {key: then for key, then in MOVES.items() if key not in gone}
        bound = TURNED if move.event is RotationEvent.EXPIRING else QUIET
        found[f"no move from {move.phase} to {move.then} by {move.event}"] = Cut(((MOVES, rows),), bound=bound)
    for command in (RotationEvent.SWIFT, RotationEvent.REPLACE, RotationEvent.RESUME, RotationEvent.EXCLUDE):
        rows = {key: then for key, then in MOVES.items() if not (key[1] is command and key[0] is then)}
        found[f"no {command} within a phase"] = Cut(((MOVES, rows),))
    return found


def _steps() -> dict[str, Cut]:
    """One for each step of each phase: it is skipped. The last one is the gate."""
    found = {}
    for phase, steps in _all_steps():
        for step in dict.fromkeys(steps):
            rows = {**PHASES, phase: _without(PHASES[phase], step)}
            name = f"{phase} without {step}"
            found[name] = Cut(((PHASES, rows),), bound=_SEEN.get(name, STRUCK if _looks(step) else QUIET))
    return found


def _all_steps() -> Iterator[tuple[Phase, list[str]]]:
    for phase in PHASES:
        member = Member(
            rotation=ROTATION,
            mode=Mode.SWIFT,
            cluster="",
            phase=phase,
            roots=None,
            activated_at=None,
            policy=TrustPolicy(),
        )
        yield phase, [step.name for step in steps_of(member)]


def _without(work: Any, skipped: str) -> Any:
    def steps(run: Any, member: Member) -> Any:
        return work(_Skipping(run, skipped), member)

    return steps


class _Skipping:
    """A runbook that doesn't take one step."""

    def __init__(self, run: Any, skipped: str) -> None:
        self._run, self._skipped = run, skipped

    def step(self, activity: Any, request: object, **more: object) -> Iterator[Any]:
        return iter(()) if activity.name == self._skipped else self._run.step(activity, request, **more)


def _stages() -> dict[str, Cut]:
    """What is true at the end of a phase, turned into something else."""
    old, new, both = frozenset({Slot.OLD}), frozenset({Slot.NEW}), frozenset(Slot)
    changes: dict[str, tuple[Phase, dict[str, Any]]] = {
        "distribute with the new root alone": (Phase.DISTRIBUTE, {"trusted": new}),
        "distribute with the old root alone": (Phase.DISTRIBUTE, {"trusted": old}),
        "retire with both roots": (Phase.RETIRE, {"trusted": both}),
        "retire with the old root alone": (Phase.RETIRE, {"trusted": old}),
        "withdraw with both roots": (Phase.WITHDRAW, {"trusted": both}),
        "withdraw with the new root alone": (Phase.WITHDRAW, {"trusted": new}),
        "replace with both roots": (Phase.REPLACE, {"trusted": both}),
        "activate with the old root": (Phase.ACTIVATE, {"signer": Slot.OLD}),
        "reissue with the new root": (Phase.REISSUE, {"signer": Slot.NEW}),
        "replace with an issuer of the old root": (Phase.REPLACE, {"signer": Slot.OLD}),
        "activate that proves no issuer": (Phase.ACTIVATE, {"activates": False}),
        "reissue that proves no issuer": (Phase.REISSUE, {"activates": False}),
        "prepare without a new root": (Phase.PREPARE, {"creates_root": False}),
        "retire that disables no root": (Phase.RETIRE, {"disables": None}),
        "retire that disables the new root": (Phase.RETIRE, {"disables": Slot.NEW}),
        "withdraw that disables no root": (Phase.WITHDRAW, {"disables": None}),
        "withdraw that disables the old root": (Phase.WITHDRAW, {"disables": Slot.OLD}),
        "replace that disables no root": (Phase.REPLACE, {"disables": None}),
        "replace that disables the new root": (Phase.REPLACE, {"disables": Slot.NEW}),
        "settle that disables the old root": (Phase.SETTLE, {"disables": Slot.OLD}),
        "distribute that disables the old root": (Phase.DISTRIBUTE, {"disables": Slot.OLD}),
        **{f"{p} not together": (p, {"proven_together": False}) for p, one in STAGES.items() if one.proven_together},
    }
    found = {}
    for name, (phase, change) in changes.items():
        rows = {**STAGES, phase: STAGES[phase]._replace(**change)}
        found[name] = Cut(((STAGES, rows),), bound=_SEEN.get(name, STRUCK_PAIR if "together" in name else QUIET))
    return found


def _rules() -> dict[str, Cut]:
    """Rules that functions keep, cut out one by one."""
    cut: dict[str, tuple[str, Callable[..., Any]]] = {
        "fault 1: who signs isn't proven again": ("functions.trust.linkerd.stages.require_signer_kept", nothing_async),
        "fault 1: what is trusted isn't proven again": (f"{LINKERD}.standing.require_trust_kept", nothing),
        "fault 1: a dropped root may sign": (f"{LINKERD}.standing.require_not_signed", nothing),
        "fault 1: leaves aren't proven again": ("functions.trust.linkerd.stages.leaves_verdict", passed_async),
        "B1 passes whatever proxies trust": (f"{LINKERD}.gates.trusts", yes),
        "B2 passes whatever leaves live": (f"{LINKERD}.gates.leaf_gate", passed),
        "every issuer passes": (f"{LINKERD}.gates.issuer_gate", passed),
        "every proxy has started since": (f"{LINKERD}.gates.started_after", yes),
        "no replica is restarted that missed an issuer": (f"{LINKERD}.gates.pods_without_reload", lambda *_: []),
        "nothing is restarted": (f"{LINKERD}.waves.next_restarts", lambda *_, **__: []),
        "nothing can be restarted": (f"{LINKERD}.waves.restartable", lambda *_: []),
        "nobody waits for who catches up": (f"{TRUST}.rounds._too_far_behind", no),
        "everybody waits for who catches up": (f"{TRUST}.rounds._too_far_behind", yes),
        "proofs of several rounds do": (f"{TRUST}.rounds._all_proven", no),
        "a proof overtakes a command": (f"{TRUST}.rounds._command_moves", no),
        "no proof moves it": (f"{TRUST}.rounds._command_moves", yes),
        "a lost proof costs nothing on the way back": (f"{TRUST}.moves.phase_after_loss", nothing),
        "nobody catches up": (f"{TRUST}.moves.next_phase", lambda proven, phase: phase),
        "who catches up begins anew for ever": (f"{TRUST}.moves.next_phase", lambda proven, phase: Phase.PREPARE),
        "an abort without a new root goes on": (f"{TRUST}.moves.phase_without_root", lambda phase: phase),
        "no command changes the mode": (f"{TRUST}.moves.mode_after", lambda event, mode: mode),
        "nobody is remembered": (f"{TRUST}.membership.absent", lambda known, listed: []),
        "nobody is left out": (f"{TRUST}.membership.left_out", lambda excluded: frozenset()),
        "nothing holds": (f"{TRUST}.rounds._hold", nothing),
        "stopped clusters are asked": (
            f"{TRUST}.members.reachable",
            lambda members: (sorted(c.id for c in members), {}),
        ),
        "every bundle is somebody else's": (f"{LINKERD}.fitness.trusted_roots", lambda member, old: frozenset()),
        "the new root is never live": (f"{TRUST}.rounds._new_root_live", no),
        "leaves are never looked at": (f"{LINKERD}.gates.may_be_renewed", no),
    }
    return {name: Cut((), {of: by}, _SEEN.get(name, STRUCK)) for name, (of, by) in cut.items()}


def _looks(step: str) -> bool:
    """Whether a step only looks: nothing is missed as long as nothing befalls anybody."""
    return step.startswith(("verify", "check"))


_SEEN: dict[str, Bound] = {
    "reissue without verify_issuer": STRUCK_BACK,
    "resettle without verify_leaves": STRUCK_BACK,
    "withdraw without verify_trust": STRUCK_BACK,
    "resettle not together": STRUCK_PAIR._replace(back=True),
    "withdraw not together": STRUCK_PAIR._replace(back=True),
}  # where the smallest bound that shows it isn't the usual one
_OTHERWISE_KEPT = frozenset(
    {
        # the injector, which has to read a bundle before workloads are restarted, isn't in the model
        *(f"{phase} without ensure_control_plane" for phase in Phase),
        "distribute without verify_trust",  # activate looks at what is trusted before it writes an issuer
        # no search is wide enough for these yet, or another rule keeps the same
        "replace with both roots",
        "fault 1: a dropped root may sign",
        "proofs of several rounds do",
        "a proof overtakes a command",
        "a lost proof costs nothing on the way back",
        "no command changes the mode",
        "nobody is left out",
        "settle not together",  # retire looks at issuer and leaves again
        "retire not together",
        "nobody is remembered",
        "nothing holds",
        "stopped clusters are asked",
        "an abort without a new root goes on",
        "leaves are never looked at",
        "replace without verify_issuer",  # until the end of a replacement looks at issuers (`promises.REPLACED`)
        *(f"{phase} without ensure_renewed" for phase in Phase),  # leaves are renewed by themselves, only later
    }
)  # what another rule keeps as well
