"""The real `az`, forked for each call from a process that has imported it: importing is most of what a call costs.

Rules:
- `warm_az.py SOCKET` runs in az's own environment and ends when its standard input closes. `az.py` asks it.
- az reads AZURE_CONFIG_DIR while it is imported: all calls have that of this process.
- A call has its own process, arguments, environment, folder and files, as if it had been started by itself.
"""

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
from contextlib import suppress

MODULES = ("appservice", "cloud", "eventgrid", "identity", "keyvault", "profile", "resource", "role", "storage", "util")
PARTS = ("", ".commands", "._params", "._client_factory", ".custom")
LONGEST = 2**18


def serve(path: str) -> None:
    """Fork for each call until nobody needs this any more."""
    for name in MODULES:
        for part in PARTS:
            with suppress(ImportError):
                importlib.import_module(f"azure.cli.command_modules.{name}{part}")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()  # the memory stays shared
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        print("ready", flush=True)  # noqa: T201
        while listener in select.select([listener, sys.stdin], [], [])[0]:
            channel, _ = listener.accept()
            if os.fork() == 0:
                _become_az(channel)
            channel.close()


def _become_az(channel: socket.socket) -> None:
    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        length, files, _, _ = socket.recv_fds(channel, 8, 3)
        request = json.loads(_received(channel, int.from_bytes(length)))
        for number, file in enumerate(files):
            os.dup2(file, number)
        os.environ.clear()
        os.environ.update(request["environ"])
        os.chdir(request["folder"])
        sys.argv = ["az", *request["arguments"]]
        runpy.run_module("azure.cli", run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        channel.sendall(str(status).encode())
        os._exit(status)


def _received(channel: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length:
        found += channel.recv(LONGEST)
    return found


if __name__ == "__main__":
    serve(*sys.argv[1:])
