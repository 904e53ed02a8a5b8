"""What a member does in a round: the real steps of its phase against its cluster, which acts by itself in between.

Rules:
- The work runs as far as the world lets it. A round may end at any wait before that (`partial`), or do nothing at all.
- A hazard may strike at any point of it. Then the round ends at once, or the work goes on.
- The same steps on the same cluster have the same end. So each is tried once and remembered.
"""

import asyncio
from collections.abc import Iterator
from typing import Any, NamedTuple

from msgspec import json
from msgspec.structs import replace

from functions.engine.durable import DeadlinePassed
from functions.trust.members import outcome_of
from functions.trust.meshes import MESHES
from local.explorer.cluster import Exposure, ModelCluster, Passed, latest, pass_time
from local.explorer.hazards import NONE, Hazards
from local.explorer.mesh import Act, ModelMesh, rank_of
from local.explorer.promises import broken_by
from local.explorer.world import Surroundings
from shared.domain.errors import MeshwardError, NotConverged, PermanentError, TemporaryError
from shared.domain.trust.linkerd.facts import ReloadLook
from shared.domain.trust.state import Member, MemberOutcome, StepProof

_LONGEST = 60  # steps and waits of a round
_UNREACHABLE = NotConverged("Unreachable", "the API server doesn't answer", 60.0)


class Result(NamedTuple):
    """How a member's round may end."""

    outcome: MemberOutcome
    cluster: ModelCluster
    words: tuple[str, ...] = ()
    acts: tuple[Act, ...] = ()
    exposures: frozenset[Exposure] = frozenset()
    struck: bool = False
    fault: str = ""  # the promise that was broken


class Work(NamedTuple):
    """All the ways in which a member's round may end."""

    nothing: Result
    complete: Result
    partial: tuple[Result, ...]
    struck: tuple[Result, ...]


class _Point(NamedTuple):
    """Where the work stands."""

    step: int
    cluster: ModelCluster
    words: tuple[str, ...]
    acts: tuple[Act, ...]
    exposures: frozenset[Exposure]


class Workshop:
    """Members' rounds, each tried once."""

    def __init__(self, world: Surroundings, loop: asyncio.AbstractEventLoop) -> None:
        self._world, self._loop = world, loop
        self._known: dict[tuple[object, ...], Work] = {}

    def work(self, member: Member, cluster: ModelCluster, hazards: Hazards | None) -> Work:
        """What may come of the member's round."""
        anonymous = replace(member, cluster="")
        key = (json.encode(anonymous), cluster, hazards, *self._world.enabled.values())
        if key not in self._known:
            self._known[key] = self._tried(anonymous, cluster, hazards)
        return self._known[key]

    def _tried(self, member: Member, cluster: ModelCluster, hazards: Hazards | None) -> Work:
        start = _Point(0, cluster, (), (), frozenset({cluster.exposure}))
        nothing = _ended(start, member, _UNREACHABLE)
        points = [start]
        complete, cuts = self._run(member, start, points)
        partial = tuple({cut.cluster: cut for cut in cuts if cut.cluster not in (cluster, complete.cluster)}.values())
        struck: dict[object, Result] = {}
        for point in points:
            for result in self._struck(member, point, hazards or NONE):
                struck.setdefault((json.encode(result.outcome), result.cluster), result)
        return Work(nothing, complete, partial, tuple(struck.values()))

    def _struck(self, member: Member, point: _Point, hazards: Hazards) -> Iterator[Result]:
        now = latest(point.cluster, _activated(member)) + 1
        for befalls in hazards.befall:
            for words, after in befalls(point.cluster, member.phase, now):
                then = point._replace(
                    cluster=after,
                    words=(*point.words, f"({words})"),
                    exposures=point.exposures | {after.exposure},
                )
                yield _ended(then, member, _UNREACHABLE)._replace(struck=True)
                complete, _ = self._run(member, then, [])
                yield complete._replace(struck=True)

    def _run(self, member: Member, start: _Point, points: list[_Point]) -> tuple[Result, list[Result]]:
        """How the work ends if the world lets it, and how it may end before; where a hazard may strike."""
        point, cuts, steps = start, list[Result](), steps_of(member)
        for _ in range(_LONGEST):
            mesh = ModelMesh(point.cluster, _activated(member), self._world.known)
            proof, error = self._attempt(steps[point.step], member, mesh)
            acted = any(act.word for act in mesh.acts)
            point = _after_step(point, mesh, advanced=error is None)
            if fault := broken_by(mesh.acts, member) or (acted and self._repeats(steps, point, member, error)):
                return _ended(point, member, error or _UNREACHABLE)._replace(fault=str(fault)), cuts
            if isinstance(error, TemporaryError):
                cuts.append(_ended(point, member, error))
                if acted:
                    continue  # seconds later it looks again
                passed = pass_time(point.cluster, _activated(member))
                if passed is None:
                    return cuts.pop(), cuts
                point = _after_time(point, passed)
                if passed.long:
                    return _ended(point, member, error), cuts
            elif error is not None:
                return _ended(point, member, error), cuts
            elif point.step == len(steps):
                return _proven(point, member, proof), cuts
            points.append(point)
        return _ended(point, member, _UNREACHABLE)._replace(fault="a round repeats its actions for ever"), cuts

    def _repeats(self, steps: list[Any], point: _Point, member: Member, error: MeshwardError | None) -> str:
        """Whether a step that is done acts again if it is called twice."""
        if error is not None:
            return ""
        again = ModelMesh(point.cluster, _activated(member), self._world.known)
        self._attempt(steps[point.step - 1], member, again)
        return "a step that is called twice acts twice" if again.acts else ""

    def _attempt(self, step: Any, member: Member, mesh: ModelMesh) -> tuple[Any, MeshwardError | None]:
        self._world.mesh = mesh
        try:
            activated_at = mesh.moment(_activated(member)) if member.activated_at else None
            return self._loop.run_until_complete(step.work(replace(member, activated_at=activated_at))), None
        except (PermanentError, TemporaryError) as error:
            return None, error
        finally:
            self._world.mesh = None


class _Patient(NamedTuple):
    """A step that isn't waited for without end: what is looked at meanwhile may restart what has missed something."""

    awaited: Any
    looks: list[Any]

    @property
    def name(self) -> str:
        return self.awaited.name  # type: ignore[no-any-return]

    async def work(self, member: Member) -> StepProof:
        try:
            return await self.awaited.work(member)  # type: ignore[no-any-return]
        except TemporaryError:
            seen = ReloadLook()
            for look in self.looks:
                seen = await look.work(replace(member, suspected=seen.pods))
            raise


class _Recorder:
    """A runbook that notes the steps that it is asked for; none that has a deadline is done in time."""

    def __init__(self) -> None:
        self.steps: list[Any] = []

    def step(self, activity: Any, request: object, *, every: object = None, deadline: object = None) -> Iterator[Any]:
        if deadline:
            self.steps.append(_Patient(activity, []))
            raise DeadlinePassed("step", _UNREACHABLE)
        if activity.name == "look_for_missed":
            self.steps[-1].looks.append(activity)
            return _seen(ReloadLook(pods=["linkerd/a-replica"]))
        if not (self.steps and isinstance(self.steps[-1], _Patient) and self.steps[-1].awaited is activity):
            self.steps.append(activity)
        return iter(())

    def pause(self, time: object) -> Iterator[Any]:
        return iter(())


def _seen(answer: Any) -> Iterator[Any]:
    return answer  # type: ignore[no-any-return]
    yield


def steps_of(member: Member) -> list[Any]:
    """The activities of the member's phase, in their order."""
    recorder = _Recorder()
    for _ in MESHES[member.rotation.mesh].phases[member.phase](recorder, member):  # type: ignore[arg-type]
        raise AssertionError("a recorder never waits")
    return recorder.steps


def _activated(member: Member) -> int:
    return rank_of(member.activated_at) if member.activated_at else 0


def _after_step(point: _Point, mesh: ModelMesh, *, advanced: bool) -> _Point:
    seen = {act.after.exposure for act in mesh.acts}
    words = (*point.words, *(act.word for act in mesh.acts))
    step = point.step + advanced
    return _Point(step, mesh.cluster, words, (*point.acts, *mesh.acts), point.exposures | seen)


def _after_time(point: _Point, passed: Passed) -> _Point:
    exposures = point.exposures | {passed.cluster.exposure}
    return point._replace(cluster=passed.cluster, words=(*point.words, passed.word), exposures=exposures)


def _ended(point: _Point, member: Member, error: MeshwardError) -> Result:
    late = DeadlinePassed("step", error) if isinstance(error, TemporaryError) else error
    return _result(point, _outcome(member, _raising(late)))


def _proven(point: _Point, member: Member, proof: StepProof) -> Result:
    done = point._replace(cluster=point.cluster._replace(restarted=()), words=(*point.words, f"proves {member.phase}"))
    return _result(done, MemberOutcome(cluster="", phase=member.phase, proof=proof))


def _result(point: _Point, outcome: MemberOutcome) -> Result:
    said = f"{'refuses' if outcome.refused else 'has lost a proof' if outcome.lost else 'waits'}: {outcome.reason}"
    words = point.words if outcome.proof else (*point.words, said)
    return Result(outcome, point.cluster, words, point.acts, point.exposures)


def _outcome(member: Member, work: Any) -> MemberOutcome:
    try:
        next(outcome_of("", member.phase, work))
    except StopIteration as ended:
        return ended.value  # type: ignore[no-any-return]
    raise AssertionError("this work never waits")


def _raising(error: Exception) -> Iterator[Any]:
    raise error
    yield
