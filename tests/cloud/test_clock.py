import asyncio
from datetime import timedelta

import pytest

from local.cloud.clock import Clock, Stalled, mapped_time

HOUR = timedelta(hours=1)


async def test_time_jumps_to_the_next_alarm(clock: Clock) -> None:
    rung: list[float] = []
    start = clock.time()
    clock.after(600, lambda: rung.append(clock.time()))
    clock.after(60, lambda: rung.append(clock.time()))
    await clock.run_until(lambda: len(rung) == 2, HOUR)
    assert rung == [start + 60, start + 600]


async def test_time_stands_still_while_something_is_in_flight(clock: Clock) -> None:
    rung: list[str] = []

    async def work() -> None:
        await asyncio.sleep(0.01)
        rung.append("work")

    clock.after(1, lambda: rung.append("alarm"))
    clock.spawn(work())
    await clock.run_until(lambda: "alarm" in rung, HOUR)
    assert rung == ["work", "alarm"]


async def test_a_cancelled_alarm_does_not_ring(clock: Clock) -> None:
    rung: list[str] = []
    clock.after(1, lambda: rung.append("never")).cancel()
    await clock.advance(HOUR)
    assert rung == []


async def test_a_goal_that_nothing_leads_to_is_reported(clock: Clock) -> None:
    with pytest.raises(Stalled, match="nothing is scheduled"):
        await clock.run_until(lambda: False, HOUR)


async def test_a_goal_beyond_the_limit_is_reported(clock: Clock) -> None:
    clock.after(7200, lambda: None)
    with pytest.raises(Stalled, match="not reached"):
        await clock.run_until(lambda: False, HOUR)


async def test_advance_rings_what_is_due_and_ends_exactly_there(clock: Clock) -> None:
    rung: list[float] = []
    start = clock.time()
    clock.after(1800, lambda: rung.append(clock.time() - start))
    await clock.advance(HOUR)
    assert rung == [1800]
    assert clock.time() == start + 3600


async def test_what_a_spawned_task_raises_ends_the_run(clock: Clock) -> None:
    async def fail() -> None:
        raise ValueError("broken")

    clock.spawn(fail())
    with pytest.raises(ValueError, match="broken"):
        await clock.advance(HOUR)


async def test_another_reader_sees_the_same_time(clock: Clock) -> None:
    read = mapped_time(str(clock.path))
    await clock.advance(HOUR)
    assert read() == clock.time()
