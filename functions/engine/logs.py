"""How flows log: a signal at a time, its fields beside its constant message.

Fields hold texts from outside: none is long, and none has a line break, so that no name can forge a line of the log.
"""

import logging
from typing import Any

import msgspec

from shared.domain.errors import shown
from shared.domain.signals import Signal

_LOG = logging.getLogger("meshward")
_LONGEST, _MOST = 2000, 100  # characters of a text, texts of a list
_LEVELS = logging.getLevelNamesMapping()


def log(signal: Signal) -> None:
    """Write the signal as a line of its level."""
    _LOG.log(_LEVELS[signal.level], signal.message(), extra=_bounded(msgspec.structs.asdict(signal)))


def _bounded(value: Any) -> Any:
    match value:
        case str():
            return shown(value, _LONGEST)
        case dict():
            return {name: _bounded(part) for name, part in value.items()}
        case list() | tuple():
            return [_bounded(part) for part in value[:_MOST]]
    return value
