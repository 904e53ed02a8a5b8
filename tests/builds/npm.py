"""Pinned npm packages."""

import shutil
import subprocess
from pathlib import Path

from tests.builds.kept import kept


def installed(lock: Path) -> Path:
    """The folder `node_modules` of what this package-lock.json, and package.json beside it, pin."""
    pins = [lock.with_name("package.json"), lock]

    def install(into: Path) -> None:
        for file in pins:
            shutil.copy(file, into)
        command = ["npm", "ci", "--no-audit", "--no-fund", "--prefix", str(into)]
        subprocess.run(command, check=True, capture_output=True)

    return kept(lock.parent.name, [file.read_bytes() for file in pins], install) / "node_modules"
