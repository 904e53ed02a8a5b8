"""One of many clusters, vaults or steps of which nobody expected what it did: it is refused, and holds up no other."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath

from functions.engine.logs import log
from shared.domain.errors import MeshwardError, PermanentError, shown
from shared.domain.signals import Unexpected

_FRAMES = 8


@contextmanager
def one_of_many(name: str) -> Iterator[None]:
    """Turn an unexpected error of what has this name into PermanentError "StepBroken"; the log says where it was."""
    try:
        yield
    except MeshwardError:
        raise
    except Exception as error:
        what = f"{type(error).__name__}: {shown(str(error))}"
        log(Unexpected(reason="StepBroken", error=what, what=name, at=_places(error)))
        raise PermanentError("StepBroken", f"{shown(name)} broke: {what}") from error


def _places(error: Exception) -> tuple[str, ...]:
    """Where it was raised, without its words, which may be anybody's."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return tuple(f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
