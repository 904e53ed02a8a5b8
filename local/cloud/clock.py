"""Virtual time: the clock of a discrete-event simulation.

Rules:
- Time stands still while anything is in flight (`busy`, `spawn`): no wait depends on how fast this machine is.
- When nothing is in flight, `run_until` moves time to the earliest alarm and rings it.
- `flow` lets time pass in real time, or a multiple of it, for a world that people look at.
- The current time also stands in a small file that other processes map (`mapped_time`).
"""

import asyncio
import heapq
import mmap
import struct
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

_SECONDS = struct.Struct("d")


class Stalled(Exception):
    """The goal can't be reached: nothing is scheduled any more, or the limit of virtual time is over."""


class Alarm:
    """Something that will happen at a moment of virtual time; `cancel` takes it back."""

    def __init__(self, when: float, action: Callable[[], object]) -> None:
        self.when, self._action = when, action
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True

    def ring(self) -> None:
        if not self.cancelled:
            self.cancelled = True
            self._action()


class Clock:
    """Virtual time in Unix seconds. Everything but `time` and `now` belongs to the event loop's thread."""

    def __init__(self, start: float) -> None:
        self._file = tempfile.NamedTemporaryFile(prefix="clock-")  # noqa: SIM115  # lives as long as the clock
        self._file.write(_SECONDS.pack(start))
        self._file.flush()
        self._cell = mmap.mmap(self._file.fileno(), _SECONDS.size)
        self._alarms: list[tuple[float, int, Alarm]] = []
        self._order = count()
        self._in_flight = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.errors: list[BaseException] = []

    @property
    def path(self) -> Path:
        """The file that other processes read the time from."""
        return Path(self._file.name)

    def time(self) -> float:
        return float(_SECONDS.unpack_from(self._cell)[0])

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time(), UTC)

    def at(self, when: float, action: Callable[[], object]) -> Alarm:
        """Ring `action` at Unix time `when` (at once, if that is past)."""
        alarm = Alarm(max(when, self.time()), action)
        heapq.heappush(self._alarms, (alarm.when, next(self._order), alarm))
        return alarm

    def after(self, seconds: float, action: Callable[[], object]) -> Alarm:
        return self.at(self.time() + seconds, action)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Hold time while the block runs."""
        self.hold()
        try:
            yield
        finally:
            self.release()

    def hold(self) -> None:
        self._in_flight += 1
        self._quiet.clear()

    def release(self) -> None:
        self._in_flight -= 1
        if self._in_flight == 0:
            self._quiet.set()

    def spawn(self, work: Coroutine[Any, Any, object]) -> asyncio.Task[Any]:
        """Run a coroutine with time held until it ends; what it raises ends `run_until`."""
        self.hold()
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.errors.append(error)
        self.release()

    async def settle(self) -> None:
        """Wait until nothing is in flight."""
        while True:
            await self._quiet.wait()
            await asyncio.sleep(0)
            if self._quiet.is_set():
                break
        if self.errors:
            raise self.errors.pop(0)

    async def run_until(self, done: Callable[[], bool], limit: timedelta) -> None:
        """Let virtual time jump from alarm to alarm until `done()`; raises Stalled after `limit` of it."""
        end = self.time() + limit.total_seconds()
        while True:
            await self.settle()
            if done():
                return
            alarm = self._earliest()
            if alarm is None or alarm.when > end:
                raise Stalled(
                    "nothing is scheduled any more" if alarm is None else f"not reached within {limit} of virtual time"
                )
            self._ring(alarm)

    async def advance(self, by: timedelta) -> None:
        """Let exactly this much virtual time pass, ringing what is due on the way."""
        end = self.time() + by.total_seconds()
        await self.settle()
        while (alarm := self._earliest()) is not None and alarm.when <= end:
            self._ring(alarm)
            await self.settle()
        self._set(end)

    async def flow(self, speed: float = 1.0) -> None:
        """Let time pass `speed` times as fast as real time, for ever."""
        loop = asyncio.get_running_loop()
        real, virtual = loop.time(), self.time()
        while True:
            present = virtual + (loop.time() - real) * speed
            while (alarm := self._earliest()) is not None and alarm.when <= present:
                self._ring(alarm)
                await asyncio.sleep(0)
            self._set(max(present, self.time()))
            await asyncio.sleep(0.02)

    def _earliest(self) -> Alarm | None:
        while self._alarms and self._alarms[0][2].cancelled:
            heapq.heappop(self._alarms)
        return self._alarms[0][2] if self._alarms else None

    def _ring(self, alarm: Alarm) -> None:
        heapq.heappop(self._alarms)
        self._set(max(alarm.when, self.time()))
        alarm.ring()

    def _set(self, when: float) -> None:
        _SECONDS.pack_into(self._cell, 0, when)


def mapped_time(path: str) -> Callable[[], float]:
    """The time as another process's clock keeps it in `path`: a stand-in for `time.time`."""
    with open(path, "rb") as file:
        cell = mmap.mmap(file.fileno(), _SECONDS.size, prot=mmap.PROT_READ)
    return lambda: float(_SECONDS.unpack_from(cell)[0])
