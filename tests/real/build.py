"""Builds the real servers that tests run against, once on a machine: `python -m tests.real.build`.

Rules:
- Each folder under `servers/` is a Go module of its own, because their requirements collide. Its `tool` lines name the
  programs, its go.mod and go.sum pin every byte of them.
- A module is built again only if its pins or the Go release changed.
"""

import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from tests.builds.kept import kept

_SERVERS = Path(__file__).parent / "servers"
_TOOLS = {
    "go": "Go 1.26 or later (https://go.dev/dl)",
    "cargo": "Rust (https://rustup.rs)",
    "cc": "a C compiler, for Rust",
    "npm": "Node 20 or later with npm (https://nodejs.org)",
    "openssl": "OpenSSL's command line",
}


class BuildMissing(Exception):
    """Something that the build needs isn't on this machine; says what."""


def need(*tools: str) -> None:
    """Raises Missing unless these are installed."""
    absent = [_TOOLS[tool] for tool in tools if shutil.which(tool) is None]
    if absent:
        raise BuildMissing(f"the tests with real servers need {' and '.join(absent)}")


def programs() -> dict[str, Path]:
    """Every server's program by its name, built if it isn't yet; raises Missing."""
    need("go")
    folders = [_built(module) for module in sorted(_SERVERS.iterdir()) if (module / "go.mod").exists()]
    return {program.name: program for folder in folders for program in folder.iterdir()}


def _built(module: Path) -> Path:
    pins = [(module / name).read_bytes() for name in ("go.mod", "go.sum")]
    return kept(module.name, [*pins, _run(module, "go", "version").encode()], partial(_build, module))


def _build(module: Path, folder: Path) -> None:
    """A module's only program gets the module's name, because its path may end in a mere version."""
    paths = _run(module, "go", "list", "-f", "{{.ImportPath}}", "tool").split()
    for path in paths:
        name = path.rpartition("/")[2] if len(paths) > 1 else module.name
        started = time.monotonic()
        _say(f"building {module.name}: {name} (minutes the first time, seconds once Go has its parts in its cache)")
        _run(module, "go", "build", "-ldflags=-s -w", "-o", str(folder / name), path)
        _say(f"built {name} in {time.monotonic() - started:.0f} s")


def _run(module: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=module, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildMissing(f"{' '.join(command[:2])} failed for {module.name}:\n{done.stderr[-4000:]}")
    return done.stdout


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    try:
        need(*_TOOLS)
        for found in programs().values():
            _say(f"ready: {found.name}")
    except BuildMissing as missing:
        sys.exit(str(missing))
