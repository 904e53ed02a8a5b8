"""Puts pinned npm packages into the cache folder."""

import fcntl
import shutil
import subprocess
from pathlib import Path


def install(lock: Path, into: Path) -> None:
    """What package.json and package-lock.json beside each other pin; safe when several test runs start at once."""
    into.mkdir(parents=True, exist_ok=True)
    with (into / "lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        stamp = into / "installed.json"
        if stamp.exists() and stamp.read_bytes() == lock.read_bytes():
            return
        for file in ("package.json", "package-lock.json"):
            shutil.copyfile(lock.with_name(file), into / file)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--prefix", str(into)], check=True, capture_output=True)
        shutil.copyfile(lock, stamp)
