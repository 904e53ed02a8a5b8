"""What takes minutes to build is built once on a machine, for every clone of this repository: it's kept in the user's
cache folder, under the hash of all that it is made from.

Rules:
- What is there is whole, however a build ended. Several runs at once wait for each other.
- Nothing in it is needed: whoever deletes it waits longer once.
"""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "meshward"


def kept(name: str, makings: Iterable[bytes], make: Callable[[Path], object], cache: Path = CACHE) -> Path:
    """The folder that `make` has filled from these makings; it is called only if that hasn't been done here yet."""
    folder = cache / f"{name}-{hashlib.sha256(b'\0'.join(makings)).hexdigest()[:16]}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{name}.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=cache) as unfinished:
                made = Path(unfinished) / name
                made.mkdir()
                make(made)
                made.rename(folder)
    return folder
