"""The app without one of its rules, moves, steps or facts of a phase: a search has to find what that breaks.

Rules:
- Where the app has a table (moves, phases, steps), there is a mutant for every row of it. So a new row has its mutant.
- A rule that a function keeps is cut by what takes the function's place.
- A mutant is searched within the smallest bound that shows what it breaks.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple

from functions.trust.linkerd.phases import PHASES
from local.explorer.hazards import Hazards, member_made_again
from local.explorer.member_work import steps_of
from local.explorer.roots import ROTATION
from local.explorer.search import Bound, explored
from local.explorer.stand_in import changed, replaced
from shared.domain.trust.moves import MOVES, TABLE, RotationEvent
from shared.domain.trust.phases import STAGES, Mode, Phase, Slot
from shared.domain.trust.policy import TrustPolicy
from shared.domain.trust.state import Member

QUIET = Bound(members=(1, 2), hazards=0, commands=1)
STRUCK = Bound(members=(1,), hazards=1, commands=0)
STRUCK_BACK = Bound(members=(1,), hazards=1, commands=0, back=True)
STRUCK_PAIR = Bound(members=(2,), hazards=1, commands=0)


class Cut(NamedTuple):
    """What is changed of the app, and how far a search has to go to see it."""

    tables: tuple[tuple[dict[Any, Any], Mapping[Any, Any]], ...] = ()
    functions: Mapping[str, Callable[..., Any]] = {}
    bound: Bound = QUIET

    def story(self) -> tuple[str, ...]:
        """How the app without it breaks a promise; empty: the search doesn't see it."""
        with ExitStack() as stack:
            for table, rows in self.tables:
                stack.enter_context(changed(table, rows=dict(rows)))
            for name, by in self.functions.items():
                stack.enter_context(replaced(name, by))
            try:
                return explored(self.bound).story
            except Exception as error:  # whatever the app raises where it has a way on
                return (f"BROKEN: the app fails: {type(error).__name__}: {error}",)


def mutants() -> dict[str, Cut]:
    """All of them, by what they are without."""
    found = {**_moves(), **_steps(), **_stages(), **_rules()}
    return {name: cut for name, cut in found.items() if name not in _OTHERWISE_KEPT}


def _moves() -> dict[str, Cut]:
    """One for each row of the table, and one for each command that stays in a phase."""
    found = {}
    for move in TABLE:
        gone = {(move.phase, move.event, mode) for mode in move.modes}
        rows = {key: then for key, then in MOVES.items() if key not in gone}
        found[f"no move from {move.phase} to {move.then} by {move.event}"] = Cut(((MOVES, rows),))
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


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _yes(*_: Any) -> bool:
    return True


def _no(*_: Any) -> bool:
    return False


_LINKERD, _TRUST = "shared.domain.trust.linkerd", "shared.domain.trust"


def _passed(*_: Any, **__: Any) -> Any:
    from shared.domain.trust.verdicts import GateVerdict

    return GateVerdict(reason="Proven", message="", blockers=(), seen=1)


def _rules() -> dict[str, Cut]:
    """Rules that functions keep, cut out one by one."""
    cut: dict[str, tuple[str, Callable[..., Any]]] = {
        "fault 1: who signs isn't proven again": ("functions.trust.linkerd.stages.require_signer_kept", _nothing_async),
        "fault 1: what is trusted isn't proven again": (f"{_LINKERD}.standing.require_trust_kept", _nothing),
        "fault 1: a dropped root may sign": (f"{_LINKERD}.standing.require_not_signed", _nothing),
        "fault 1: leaves aren't proven again": ("functions.trust.linkerd.stages.leaves_verdict", _passed_async),
        "B1 passes whatever proxies trust": (f"{_LINKERD}.gates.trusts", _yes),
        "B2 passes whatever leaves live": (f"{_LINKERD}.gates.leaf_gate", _passed),
        "every issuer passes": (f"{_LINKERD}.gates.issuer_gate", _passed),
        "every proxy has started since": (f"{_LINKERD}.gates.started_after", _yes),
        "no replica is restarted that missed an issuer": (f"{_LINKERD}.gates.pods_without_reload", lambda *_: []),
        "nothing is restarted": (f"{_LINKERD}.waves.next_restarts", lambda *_, **__: []),
        "nothing can be restarted": (f"{_LINKERD}.waves.restartable", lambda *_: []),
        "nobody waits for who catches up": (f"{_TRUST}.rounds._too_far_behind", _no),
        "everybody waits for who catches up": (f"{_TRUST}.rounds._too_far_behind", _yes),
        "proofs of several rounds do": (f"{_TRUST}.rounds._all_proven", _no),
        "a proof overtakes a command": (f"{_TRUST}.rounds._command_moves", _no),
        "no proof moves it": (f"{_TRUST}.rounds._command_moves", _yes),
        "a lost proof costs nothing on the way back": (f"{_TRUST}.moves.phase_after_loss", _nothing),
        "nobody catches up": (f"{_TRUST}.moves.next_phase", lambda proven, phase: phase),
        "who catches up begins anew for ever": (f"{_TRUST}.moves.next_phase", lambda proven, phase: Phase.PREPARE),
        "an abort without a new root goes on": (f"{_TRUST}.moves.phase_without_root", lambda phase: phase),
        "no command changes the mode": (f"{_TRUST}.moves.mode_after", lambda event, mode: mode),
        "nobody is remembered": (f"{_TRUST}.membership.absent", lambda known, listed: []),
        "nobody is left out": (f"{_TRUST}.membership.left_out", lambda excluded: frozenset()),
        "nothing holds": (f"{_TRUST}.rounds._hold", _nothing),
        "stopped clusters are asked": (
            f"{_TRUST}.members.reachable",
            lambda members: (sorted(c.id for c in members), {}),
        ),
        "every bundle is somebody else's": (f"{_LINKERD}.fitness.trusted_roots", lambda member, old: frozenset()),
        "the new root is never live": (f"{_TRUST}.rounds._new_root_live", _no),
        "leaves are never looked at": (f"{_LINKERD}.gates.may_be_renewed", _no),
    }
    found = {name: Cut((), {of: by}, _SEEN.get(name, STRUCK)) for name, (of, by) in cut.items()}
    found["fault 2: a cluster made again inherits proofs, and no gate looks again"] = _inherited()
    return found


def _inherited() -> Cut:
    """With no other hazard, the gates alone would keep it, too."""
    functions: dict[str, Callable[..., Any]] = {
        "shared.domain.incarnation.Incarnation.another": _no,
        "functions.trust.linkerd.stages.require_signer_kept": _nothing_async,
        f"{_LINKERD}.standing.require_trust_kept": _nothing,
        "functions.trust.linkerd.stages.leaves_verdict": _passed_async,
        f"{_LINKERD}.gates.issuer_gate": _passed,
    }
    return Cut((), functions, Bound(members=(1,), hazards=1, commands=0, kinds=Hazards((), (member_made_again,))))


def _looks(step: str) -> bool:
    """Whether a step only looks: nothing is missed as long as nothing befalls anybody."""
    return step.startswith(("verify", "check"))


async def _nothing_async(*_: Any) -> None:
    return None


async def _passed_async(*_: Any) -> Any:
    return _passed(), 60.0


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
        "no move from reissue to activate by old root expiring",
        "no move from resettle to activate by old root expiring",
        "replace without verify_issuer",  # until the end of a replacement looks at issuers (`promises.REPLACED`)
        *(f"{phase} without ensure_renewed" for phase in Phase),  # leaves are renewed by themselves, only later
    }
)  # what another rule keeps as well
