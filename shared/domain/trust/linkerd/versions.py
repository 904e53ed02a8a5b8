"""Which releases of Linkerd a rotation understands: 2.14 to 2.20, and the edge releases that lead to or follow them.

Since 2.15 the project itself publishes only edge releases; a line begins with one of them (Linkerd docs, releases). For
a rotation they differ only in the names of metrics. Those are read from what each proxy serves, as a proxy may be of an
older release than its control plane.
"""

import re

from shared.domain.errors import PermanentError

_LINES = range(14, 21)
_FIRST_EDGE, _LAST_EDGE = (24, 2, 4), (26, 8, 3)  # the beginning of 2.15, and the newest that was looked at
_LINE = re.compile(r"(?:[a-z]+-)?2\.(\d+)(?:\.|$)")
_EDGE = re.compile(r"edge-(\d+)\.(\d+)\.(\d+)")


def require_supported_version(cluster: str, version: str) -> None:
    """Raise PermanentError unless the release, as `linkerd-config` names it, is one that rotations understand."""
    if edge := _EDGE.match(version):
        supported = _FIRST_EDGE <= tuple(int(part) for part in edge.groups()) <= _LAST_EDGE
    else:
        line = _LINE.match(version)
        supported = line is not None and int(line[1]) in _LINES
    if not supported:
        message = (
            f"cluster {cluster} has Linkerd {version or 'of unknown version'}; Meshward knows 2.{_LINES[0]} to"
            f" 2.{_LINES[-1]} (edge-{_dotted(_FIRST_EDGE)} to edge-{_dotted(_LAST_EDGE)}): upgrade Linkerd if it is"
            " older, Meshward if it is newer"
        )
        raise PermanentError("UnsupportedLinkerd", message)


def _dotted(edge: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in edge)
