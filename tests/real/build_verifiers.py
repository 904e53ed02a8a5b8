"""Builds the programs of `verifiers/`, once on a machine.

`python -m tests.real.build_verifiers` does so ahead of the tests.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.builds.kept import CACHE, kept
from tests.real.build import BuildMissing, need

_SOURCES = Path(__file__).parent / "verifiers"


def go_verifier() -> Path:
    """Go's crypto/x509 and crypto/tls; raises Missing."""
    need("go")

    def build(into: Path) -> None:
        _run("go", "build", "-o", str(into / "go-verifier"), ".", within="go")

    return kept("go-verifier", _makings("go", "go", "version"), build) / "go-verifier"


def rustls_verifier() -> Path:
    """rustls with webpki; raises Missing."""
    need("cargo", "cc")

    def build(into: Path) -> None:
        target = CACHE / "cargo"
        _run("cargo", "build", "--release", "--locked", "--target-dir", str(target), within="rust")
        shutil.copy(target / "release" / "rustls-verifier", into)

    return kept("rustls-verifier", _makings("rust", "cargo", "version"), build) / "rustls-verifier"


def _makings(folder: str, *version: str) -> list[bytes]:
    """The sources, and the compiler's release."""
    sources = sorted(file for file in (_SOURCES / folder).rglob("*") if file.is_file())
    return [*(file.read_bytes() for file in sources), subprocess.run(version, capture_output=True, check=True).stdout]


def _run(*command: str, within: str) -> None:
    if subprocess.run(command, cwd=_SOURCES / within, check=False).returncode:
        raise BuildMissing(f"{command[0]} build failed, see above")


if __name__ == "__main__":
    try:
        go_verifier(), rustls_verifier()
    except BuildMissing as missing:
        sys.exit(str(missing))
