"""Workers that start fast: forked from a process that has already imported the app's libraries.

Azure does the like: it keeps placeholder workers with the runtime loaded, and gives one its environment and app when
it is needed. Tests start hundreds of workers, which would import the same libraries each.

Rules:
- A placeholder imports what the app's sources import anywhere, but nothing of the app. It runs no event loop, starts no
  thread and sees no setting, so that what is forked from it is a worker that has done nothing yet.
- A forked worker is a process like any other: it can be killed, and nothing that it does outlives it.
- `python -m local.host.placeholder SOCKET_FD`; it ends when the socket closes. It needs Linux: elsewhere, system
  libraries don't survive a fork.
"""

import ast
import asyncio
import atexit
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from aiohttp import connector

from local.host import worker
from local.host.process import LONGEST_LINE

_ROOT = Path(__file__).parents[2]
_OWN = ("functions", "shared")
_NOT_AHEAD = (
    "opentelemetry",
    "azure.monitor",
)  # libraries act otherwise once these are imported, and few workers need them
_LONGEST_REQUEST = 2**16


class ForkedWorker:
    """A worker and what it writes."""

    def __init__(self, pid: int, stdout: asyncio.StreamReader, placeholder: "Placeholder") -> None:
        self.pid, self.stdout, self._placeholder = pid, stdout, placeholder
        self._ended = False

    def kill(self) -> None:
        if not self._ended:
            os.kill(self.pid, signal.SIGKILL)

    async def wait(self) -> None:
        """Until it has ended; its number may then be another process's."""
        if not self._ended:
            self._placeholder.reap(self.pid)
            self._ended = True


class Placeholder:
    """The process to fork from, started when it is first needed. `launch` is a way for hosts to start workers.

    One event loop at a time uses it.
    """

    def __init__(self) -> None:
        self._channel: socket.socket | None = None

    async def launch(self, channel: socket.socket, folder: Path, environ: dict[str, str], clock: Path) -> ForkedWorker:
        """A worker at the other end of the channel, with this environment and no other."""
        read, write = os.pipe()
        try:
            pid = self._ask({"folder": str(folder), "clock": str(clock), "environ": environ}, channel.fileno(), write)
        finally:
            os.close(write)
        log = asyncio.StreamReader(limit=LONGEST_LINE)
        protocol = asyncio.StreamReaderProtocol(log)
        await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(read, "rb", 0))
        return ForkedWorker(pid, log, self)

    def reap(self, pid: int) -> None:
        """Wait until this worker has ended."""
        self._ask({"pid": pid})

    def close(self) -> None:
        if self._channel:
            self._channel.close()
            self._process.wait()

    def _ask(self, request: dict[str, Any], *files: int) -> int:
        channel = self._channel or self._start()
        socket.send_fds(channel, [json.dumps(request).encode()], files)
        return int(channel.recv(_LONGEST_REQUEST))

    def _start(self) -> socket.socket:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "local.host.placeholder", str(theirs.fileno())],
                cwd=_ROOT,
                env={"PATH": os.environ["PATH"]},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        atexit.register(self.close)
        return self._channel


def serve(channel: socket.socket) -> None:
    """Fork a worker for each request, or wait for one to end, until the host hangs up."""
    while True:
        content, files, _, _ = socket.recv_fds(channel, _LONGEST_REQUEST, 2)
        if not content:
            return
        request = json.loads(content)
        pid = _waited(request["pid"]) if "pid" in request else os.fork()
        if pid == 0:
            channel.close()
            become_worker(request, *files)
        for file in files:
            os.close(file)
        channel.send(str(pid).encode())


def _waited(pid: int) -> int:
    return os.waitpid(pid, 0)[0]


def become_worker(request: dict[str, Any], channel: int, log: int) -> None:
    """Continue as a worker until this process ends."""
    try:
        for output in (1, 2):
            os.dup2(log, output)
        os.close(log)
        os.environ.clear()
        os.environ.update(request["environ"])
        trust_as_told()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        worker.main(str(channel), request["folder"], request["clock"])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(1)


def trust_as_told() -> None:
    """What aiohttp does while it is imported, which was before there was an environment."""
    connector._SSL_CONTEXT_VERIFIED = connector._make_ssl_context(True)


def load_libraries() -> None:
    """Import whatever the app's sources import, now or later."""
    import azure_functions_runtime  # type: ignore[import-untyped]  # noqa: F401

    sources = [_ROOT / "function_app.py", *(file for own in _OWN for file in (_ROOT / own).rglob("*.py"))]
    for name in sorted(set(imported(sources))):
        if not name.startswith(_NOT_AHEAD):
            with suppress(ImportError):  # what isn't installed fails where it is needed
                importlib.import_module(name)


def imported(sources: Iterable[Path]) -> Iterator[str]:
    """The modules that these import, but for the app's own."""
    for node in (node for source in sources for node in ast.walk(ast.parse(source.read_bytes()))):
        names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        yield from (name for name in names if name.partition(".")[0] not in _OWN)


def main(channel: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the host, which ends this process
    load_libraries()
    gc.collect()
    gc.freeze()  # the memory stays shared
    serve(socket.socket(fileno=int(channel)))


if __name__ == "__main__":
    main(*sys.argv[1:])
