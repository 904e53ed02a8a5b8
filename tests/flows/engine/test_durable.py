"""Chains of steps side by side, driven by hand: what ends when is up to the test."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from durabletask.task import CompletableTask, Task

from functions.engine.activities import Activity
from functions.engine.durable import DeadlinePassed, Runbook, Steps
from functions.engine.outcomes import ActivityOutcome, Finished, Refused, Waiting
from shared.domain.errors import PermanentError


class Context:
    """Stands in for the engine's context: notes what is called, and holds time."""

    instance_id = "run"
    current_utc_datetime = datetime(2027, 1, 15)  # noqa: DTZ001  # as the engine gives it

    def __init__(self) -> None:
        self.called: dict[str, CompletableTask[Any]] = {}
        self.timers: list[CompletableTask[Any]] = []
        self.waits: list[timedelta] = []
        self.status: Any = None

    def call_activity(self, name: str, *, input: Any) -> CompletableTask[Any]:
        self.called[f"{name} {input}"] = CompletableTask()
        return self.called[f"{name} {input}"]

    def create_timer(self, when: datetime) -> CompletableTask[Any]:
        assert when > self.current_utc_datetime
        self.waits.append(when - self.current_utc_datetime)
        self.timers.append(CompletableTask())
        return self.timers[-1]

    def set_custom_status(self, status: Any) -> None:
        self.status = status


class Driven:
    """A generator that the engine would run, resumed as soon as what it waits for is complete."""

    def __init__(self, work: Callable[[Runbook], Steps[Any]]) -> None:
        self.context = Context()
        self._steps = work(Runbook(self.context))  # type: ignore[arg-type]  # it has what a runbook uses
        self._awaited: Task[Any] | None = None
        self.result: Any = None
        self.ended = False
        self.go_on()

    def go_on(self) -> None:
        try:
            while not self.ended and (self._awaited is None or self._awaited.is_complete):
                self._awaited = self._steps.send(self._awaited and self._awaited.get_result())
        except StopIteration as end:
            self.result, self.ended = end.value, True

    def done(self, call: str, result: Any) -> None:
        self.ended_with(call, Finished(result))

    def ended_with(self, call: str, outcome: ActivityOutcome) -> None:
        self.context.called[call].complete(msgspec.to_builtins(outcome))
        self.go_on()


async def nothing(request: str) -> str:
    return request


NOT_YET = Waiting("NotYet", "")
STEP = Activity("step", str, str, nothing)


def chain(run: Runbook, *requests: str) -> Steps[list[str]]:
    done = []
    for request in requests:
        done.append((yield from run.step(STEP, request)))
    return done


def two(run: Runbook) -> Steps[Any]:
    return run.chains(chain(run, "a1", "a2"), chain(run, "b1", "b2"))


def test_each_chain_goes_at_its_own_pace_and_results_keep_the_order_of_the_chains() -> None:
    driven = Driven(two)
    assert set(driven.context.called) == {"step a1", "step b1"}, "both begin at once"
    driven.done("step b1", "B1")
    driven.done("step b2", "B2")
    assert "step a2" not in driven.context.called
    assert not driven.ended
    driven.done("step a1", "A1")
    driven.done("step a2", "A2")
    assert driven.result == [["A1", "A2"], ["B1", "B2"]]


def test_chains_that_go_on_at_the_same_moment_lose_nothing() -> None:
    driven = Driven(two)
    for call in ("step a1", "step b1"):
        driven.context.called[call].complete(msgspec.to_builtins(Finished(call)))
    driven.go_on()
    for call in ("step a2", "step b2"):
        driven.context.called[call].complete(msgspec.to_builtins(Finished(call)))
    driven.go_on()
    assert driven.result == [["step a1", "step a2"], ["step b1", "step b2"]]


def test_a_chain_that_waits_holds_up_no_other() -> None:
    driven = Driven(two)
    driven.ended_with("step a1", NOT_YET)
    assert driven.context.status["reason"] == "NotYet"
    driven.done("step b1", "B1")
    driven.done("step b2", "B2")
    driven.context.timers[0].complete(None)
    driven.go_on()
    driven.done("step a1", "A1")
    driven.done("step a2", "A2")
    assert driven.result == [["A1", "A2"], ["B1", "B2"]]


def in_phases(run: Runbook) -> Steps[Any]:
    def proven() -> Steps[list[str]]:
        run.phase("prove")
        return (yield from chain(run, "b1", "b2"))

    run.phase("build")
    yield from run.chains(chain(run, "a1"), proven())
    return (yield from chain(run, "c1"))


def test_what_a_chain_waits_for_is_told_with_the_phase_that_it_is_in_itself() -> None:
    driven = Driven(in_phases)
    driven.ended_with("step a1", NOT_YET)
    assert driven.context.status["phase"] == "build"
    driven.ended_with("step b1", NOT_YET)
    assert driven.context.status["phase"] == "prove"
    for timer in driven.context.timers[:2]:
        timer.complete(None)
        driven.go_on()
    for call in ("step a1", "step b1", "step b2"):
        driven.done(call, "")
    driven.ended_with("step c1", NOT_YET)
    assert driven.context.status["phase"] == "build", "the phase of a chain ends with it"


def test_a_refused_chain_ends_the_run_only_once_the_others_have_ended() -> None:
    driven = Driven(two)
    driven.ended_with("step a1", Refused("Never", "no"))
    driven.done("step b1", "B1")
    assert not driven.ended
    with pytest.raises(PermanentError, match="Never: no"):
        driven.done("step b2", "B2")
    assert "step a2" not in driven.context.called


def test_of_several_refusals_the_first_is_told() -> None:
    driven = Driven(two)
    driven.ended_with("step b1", Refused("First", ""))
    with pytest.raises(PermanentError, match="First"):
        driven.ended_with("step a1", Refused("Second", ""))


def test_an_activity_that_broke_is_a_refusal_of_its_chain() -> None:
    driven = Driven(two)
    driven.context.called["step a1"].fail("out of memory", RuntimeError("out of memory"))
    driven.go_on()
    driven.done("step b1", "B1")
    with pytest.raises(PermanentError, match="StepBroken: step broke: out of memory"):
        driven.done("step b2", "B2")


def test_without_a_chain_there_is_nothing_to_wait_for() -> None:
    assert Driven(lambda run: run.chains()).result == []


def test_a_pause_ends_with_its_timer() -> None:
    driven = Driven(lambda run: run.pause(timedelta(seconds=30)))
    assert not driven.ended
    driven.context.timers[0].complete(None)
    driven.go_on()
    assert driven.ended


def test_a_step_that_is_told_to_come_back_comes_back_less_precisely_the_more_often_it_is_told() -> None:
    driven = Driven(lambda run: run.step(STEP, "a"))
    for number in range(3):
        driven.ended_with("step a", Waiting("Throttled", "", 10))
        driven.context.timers[number].complete(None)
        driven.go_on()
    after = [(wait - timedelta(seconds=10)) / timedelta(seconds=20) for wait in driven.context.waits]
    assert 0 < after[0] < 1
    assert after == pytest.approx([after[0], 2 * after[0], 3 * after[0]]), "the moment stands still here"
    driven.ended_with("step a", NOT_YET)
    assert driven.context.waits[-1] == timedelta(minutes=1), "its own pace is kept"


def test_runs_that_were_started_together_begin_at_moments_of_their_own() -> None:
    driven = Driven(lambda run: run.jitter(timedelta(seconds=5)))
    assert timedelta() < driven.context.waits[0] < timedelta(seconds=5)


def wait_on(driven: Driven) -> None:
    """Let the step find, as often as it asks, that it isn't done yet."""
    for number in range(1_000):
        driven.ended_with("step a", NOT_YET)
        driven.context.current_utc_datetime += driven.context.waits[-1]
        driven.context.timers[number].complete(None)
        driven.go_on()


def test_a_step_that_waits_for_hours_asks_seldom_and_is_never_late_by_more_than_a_twelfth() -> None:
    every, hours = timedelta(minutes=2), timedelta(hours=12)
    driven = Driven(lambda run: run.step(STEP, "a", every=every, deadline=hours))
    begun = driven.context.current_utc_datetime
    with pytest.raises(DeadlinePassed):
        wait_on(driven)
    waits = driven.context.waits
    assert waits[:12] == [every] * 12
    assert len(waits) < 110, "at a fixed pace it would ask 360 times"
    assert max(waits) == 4 * every
    for number, wait in enumerate(waits):
        assert wait <= max(every, sum(waits[:number], timedelta()) / 12)
    assert hours - 4 * every < driven.context.current_utc_datetime - begun <= hours
