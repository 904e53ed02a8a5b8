"""Runs programs beside a test and ends every one of them, however the test ends.

Rules:
- Each program leads a process group of its own, so that Ctrl-C in a terminal reaches only pytest, which then ends them
  in order. Where the system can (Linux), it ends them itself should pytest be killed.
- What a program prints stands in `<name>.log`; its end is part of the error when it doesn't come up.
- Ports are picked below the range that systems hand to outgoing connections, where nothing takes one by chance; each of
  the processes that pytest-xdist runs tests in picks from a share of its own.
"""

import asyncio
import os
import random
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

_WITH_PYTEST = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
_TRIES, _PAUSE = 1_200, 0.1
_END_SECONDS = 5.0
_SHARE, _SHARES = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")), 64
_ports = iter(random.sample(range(20_000 + _SHARE % _SHARES, 32_000, _SHARES), 12_000 // _SHARES))


class NotReady(Exception):
    """A program ended, or didn't come up in many tries; says what it printed last."""


class Program:
    """A program, working in `folder`."""

    def __init__(self, path: Path, folder: Path, *options: str) -> None:
        self.name, self._folder, self._log = path.name, folder, folder / f"{path.name}.log"
        self._command = (*_WITH_PYTEST, str(path), *options)

    async def start(self) -> None:
        with self._log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, cwd=self._folder, stdout=output, stderr=output, start_new_session=True
            )

    async def kill(self) -> None:
        """Let it end at once, as when its machine is lost."""
        os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """For the length of the block it does nothing, and keeps its connections."""
        os.killpg(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self._process.pid, signal.SIGCONT)

    @property
    def pid(self) -> int:
        """The process that runs now."""
        return self._process.pid

    @property
    def state(self) -> str:
        """`runs`, or how it ended and what it printed last."""
        if self._process.returncode is None:
            return "runs"
        return f"ended with {self._process.returncode}:\n{self._log.read_text(errors='replace')[-3000:]}"

    async def end(self) -> None:
        """Ask its process group to end, and see to it."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if self._process.returncode is None:
                os.killpg(self._process.pid, sign)
                try:
                    await asyncio.wait_for(self._process.wait(), _END_SECONDS)
                except TimeoutError:
                    continue


async def until(ready: Callable[[], Awaitable[bool]], *programs: Program) -> None:
    """Wait until `ready` holds; raises NotReady once one of the programs has ended, or after many tries."""
    for _ in range(_TRIES):
        if ended := [f"{p.name} {p.state}" for p in programs if p.state != "runs"]:
            raise NotReady("\n".join(ended))
        if await ready():
            return
        await asyncio.sleep(_PAUSE)
    raise NotReady(f"{', '.join(p.name for p in programs)}: still not ready")


@asynccontextmanager
async def running(path: Path, folder: Path, *options: str) -> AsyncIterator[Program]:
    """The program at `path`, working in `folder`, for the length of the block."""
    program = Program(path, folder, *options)
    await program.start()
    try:
        yield program
    finally:
        await program.end()


def free_port() -> int:
    """A port on loopback that nobody listens on; never the same twice."""
    return next(port for port in _ports if not _listens(port))


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
