"""How much of a cluster's data is read, and for how long: who can make a pod decides on both.

Rules:
- What is beyond a bound is never read to its end. It is a fact about that cluster or pod, with its name.
- Bytes are counted as they come over the wire, and no encoding is accepted that makes more of them.
- YAML is walked event by event, which nests nothing, before it becomes an object. Aliases are refused: a few bytes of
  them stand for gigabytes.
"""

from typing import Any, NamedTuple

import aiohttp
import yaml  # type: ignore[import-untyped]

from shared.adapters.kubernetes.errors import OutOfBounds
from shared.domain.errors import shown

_MIB = 1024 * 1024
_DEEPEST = 50  # values of a chart nest to a tenth of that
_LONGEST_YAML = 512 * 1024  # bytes; what a ConfigMap may hold is twice as much, what Linkerd writes a twentieth
_MISREAD = (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class Bounds(NamedTuple):
    """The bounds of what is read of one cluster."""

    answer: int = 32 * _MIB  # bytes of an answer; five hundred pods take some seven
    listed: int = 128 * _MIB  # bytes of all pages of a list
    pages: int = 500  # of a list
    metrics: int = 8 * _MIB  # bytes of what one pod tells
    call: float = 60.0  # seconds until an answer has been read
    visit: float = 240.0  # seconds of all calls of an activity


async def content_of(answer: aiohttp.ClientResponse, most: int, doing: str) -> bytes:
    """The bytes of an answer; raises OutOfBounds if there are more than `most`."""
    found = bytearray()
    async for part in answer.content.iter_any():
        found += part
        if len(found) > most:
            raise OutOfBounds(f"{doing}: the answer has more than {most} bytes")
    return bytes(found)


def document(text: str, what: str) -> Any:
    """What a YAML document says; raises OutOfBounds for one that is too large, nests too deeply, or isn't YAML."""
    if len(text.encode(errors="replace")) > _LONGEST_YAML:
        raise OutOfBounds(f"{what} has more than {_LONGEST_YAML} bytes")
    try:
        _require_flat(text, what)
        return yaml.load(text, yaml.CSafeLoader)
    except _MISREAD as error:
        raise OutOfBounds(f"{what} isn't YAML that can be read: {shown(str(error))}") from error


def _require_flat(text: str, what: str) -> None:
    depth = 0
    for event in yaml.parse(text, yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise OutOfBounds(f"{what} nests more than {_DEEPEST} deep")
        if isinstance(event, yaml.AliasEvent):
            raise OutOfBounds(f"{what} has aliases, which Meshward doesn't follow")
