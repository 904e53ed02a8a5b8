"""How flows log: a signal at a time, its fields beside its constant message."""

import logging

import msgspec

from shared.domain.signals import Signal

_LOG = logging.getLogger("meshward")
_LEVELS = logging.getLevelNamesMapping()


def log(signal: Signal) -> None:
    """Write the signal as a line of its level."""
    _LOG.log(_LEVELS[signal.level], signal.message(), extra=msgspec.structs.asdict(signal))
