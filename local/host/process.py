"""The host's side of its worker: a child process that it starts, calls, and replaces when it dies.

Rules:
- At least once: a durable invocation whose answer was lost (the worker died, or a test took the answer) is sent again.
- At most once: any other invocation whose answer was lost raises `WorkerLost`; the trigger decides what follows.
- Time is held while a worker starts, so virtual time never passes between a death and what is delivered again.
"""

import asyncio
import socket
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, Literal, Protocol

from local.cloud.clock import Clock
from local.host.protocol import Function, InvocationResult, Invoke, Loaded, LoadFailed, Value, pack, receive

_ROOT = Path(__file__).parents[2]
_MOST_DELIVERIES = 10  # a piece of work that kills every worker must fail at last, not loop
LONGEST_LINE = 16 * 2**20

Moment = Literal["before", "after"]
Hook = Callable[[str, Moment], bool | None]


class HostFailed(Exception):
    """The app doesn't load; the message says why."""


class InvocationFailed(Exception):
    """The function raised; the message is "Type: message" as the runtime gives it."""

    def __init__(self, message: str, stack_trace: str = "") -> None:
        super().__init__(message)
        self.stack_trace = stack_trace


class WorkerLost(Exception):
    """The worker died, or its answer was lost, before the invocation's end was known."""


class Child(Protocol):
    """A worker that runs; `stdout` is what it writes."""

    @property
    def pid(self) -> int: ...

    @property
    def stdout(self) -> asyncio.StreamReader | None: ...

    def kill(self) -> None: ...

    async def wait(self) -> object: ...


Launch = Callable[[socket.socket, Path, dict[str, str], Path], Awaitable[Child]]


async def started(channel: socket.socket, folder: Path, environ: dict[str, str], clock: Path) -> Child:
    """A worker of the app in `folder`, at the other end of the channel: a Python of its own."""
    arguments = [str(channel.fileno()), str(folder), str(clock)]
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "local.host.worker",
        *arguments,
        cwd=_ROOT,
        env=environ,
        pass_fds=[channel.fileno()],
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=LONGEST_LINE,
    )


class WorkerProcess:
    """`hook` is called with the function's name before and after each delivery; True means: lose this answer.

    `inputs` are those of the delivery that the hook is called for.
    """

    def __init__(
        self, folder: Path, environ: dict[str, str], clock: Clock, log: Callable[[str], None], launch: Launch
    ) -> None:
        self._folder, self._environ, self._clock, self._log, self._launch = folder, environ, clock, log, launch
        self._tail: deque[str] = deque(maxlen=30)
        self._numbers = count(1)
        self._pending: dict[int, asyncio.Future[InvocationResult | None]] = {}
        self._ready = asyncio.Event()
        self._failure: HostFailed | None = None
        self._child: Child | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._watch: asyncio.Task[Any] | None = None
        self._logs: asyncio.Task[None] | None = None
        self.hook: Hook | None = None
        self.inputs: dict[str, Value] = {}

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    async def start(self) -> list[Function]:
        """The app's functions, indexed by a fresh worker; raises HostFailed."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._child = await self._launch(theirs, self._folder, self._environ, self._clock.path)
        reader, self._writer = await asyncio.open_connection(sock=ours)
        self._logs = asyncio.ensure_future(self._read_log(self._child))
        loaded = await receive(reader)
        if not isinstance(loaded, Loaded):
            await self._end(self._child)
            raise self._load_failure(loaded)
        self._ready.set()
        self._watch = asyncio.ensure_future(self._listen(reader, self._child))
        return loaded.functions

    async def stop(self) -> None:
        watch, self._watch = self._watch, None
        if watch:
            watch.cancel()
        if self._child:
            await self._end(self._child)

    def kill(self) -> None:
        """SIGKILL, now: nothing the worker still says is heard."""
        self._ready.clear()
        if self._child:
            with suppress(ProcessLookupError):  # it is dead already
                self._child.kill()
        if self._writer:
            self._writer.close()
        self._settle()

    async def invoke(
        self, function: Function, inputs: dict[str, Value], metadata: dict[str, Value], *, durable: bool
    ) -> Value:
        """The function's return value. Raises InvocationFailed, or WorkerLost for what must not be sent twice."""
        for _ in range(_MOST_DELIVERIES if durable else 1):
            done = await self._deliver(function, inputs, metadata)
            if done and done.error is not None:
                raise InvocationFailed(done.error, done.stack_trace)
            if done:
                return done.value
        raise WorkerLost(f"the answer of {function.name} was lost")

    async def _deliver(
        self, function: Function, inputs: dict[str, Value], metadata: dict[str, Value]
    ) -> InvocationResult | None:
        await self._ready.wait()
        if self._failure:
            raise self._failure
        lost = self._struck(function, inputs, "before")
        if lost or not self._ready.is_set():
            return None
        done = await self._send(
            Invoke(number=next(self._numbers), function_id=function.id, inputs=inputs, metadata=metadata)
        )
        lost = self._struck(function, inputs, "after") if done else None
        return None if lost or not self._ready.is_set() else done

    def _struck(self, function: Function, inputs: dict[str, Value], moment: Moment) -> bool | None:
        self.inputs = inputs
        return self.hook(function.name, moment) if self.hook else None

    async def _send(self, invoke: Invoke) -> InvocationResult | None:
        assert self._writer is not None
        answer: asyncio.Future[InvocationResult | None] = asyncio.get_running_loop().create_future()
        self._pending[invoke.number] = answer
        self._writer.write(pack(invoke))
        return await answer

    async def _listen(self, reader: asyncio.StreamReader, child: Child) -> None:
        while isinstance(frame := await receive(reader), InvocationResult):
            if (answer := self._pending.pop(frame.number, None)) and not answer.done():
                answer.set_result(frame)
        self._watch = self._clock.spawn(self._replace(child))

    async def _replace(self, child: Child) -> None:
        await self._end(child)
        self._log("the worker died; starting another")
        try:
            await self.start()
        except HostFailed as failed:
            self._failure = failed
            self._ready.set()

    async def _end(self, child: Child) -> None:
        self.kill()
        await child.wait()
        if self._logs:
            await self._logs

    def _settle(self) -> None:
        """Tell everyone who waits for an answer that there will be none."""
        pending, self._pending = self._pending, {}
        for answer in pending.values():
            if not answer.done():
                answer.set_result(None)

    async def _read_log(self, child: Child) -> None:
        assert child.stdout is not None
        async for raw in child.stdout:
            line = raw.decode(errors="replace").rstrip("\n")
            self._tail.append(line)
            self._log(line)

    def _load_failure(self, answer: object) -> HostFailed:
        if isinstance(answer, LoadFailed):
            return HostFailed(f"the app in {self._folder.name} doesn't load: {answer.message}\n{answer.stack_trace}")
        return HostFailed(f"the worker ended while it loaded {self._folder.name}:\n" + "\n".join(self._tail))
