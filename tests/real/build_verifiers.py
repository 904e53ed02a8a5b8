"""Builds the programs of `verifiers/` into the cache folder; what is built already takes a second.

`python -m tests.real.build_verifiers` does so ahead of the tests. Several runs at once wait for each other.
"""

import fcntl
import subprocess
import sys
from pathlib import Path

from tests.real.build import Missing, need

_SOURCES = Path(__file__).parent / "verifiers"
_CACHE = Path(__file__).parents[2] / ".cache" / "real" / "verifiers"


def go_verifier() -> Path:
    """Go's crypto/x509 and crypto/tls; raises Missing."""
    program = _CACHE / "go-verifier"
    _build("go", "build", "-o", str(program), ".")
    return program


def rustls_verifier() -> Path:
    """rustls with webpki; raises Missing."""
    target = _CACHE / "rust"
    _build("cargo", "build", "--release", "--locked", "--target-dir", str(target), within="rust")
    return target / "release" / "rustls-verifier"


def _build(*command: str, within: str = "go") -> None:
    need(command[0])
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(command, cwd=_SOURCES / within, check=False)
    if done.returncode:
        raise Missing(f"{command[0]} build failed, see above")


if __name__ == "__main__":
    try:
        go_verifier(), rustls_verifier()
    except Missing as missing:
        sys.exit(str(missing))
