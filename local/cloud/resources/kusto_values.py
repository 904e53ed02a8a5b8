"""Kusto's values: how they are found in a row, cast, compared and ordered."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

Row = dict[str, Any]


def dig(value: Any, keys: list[str | int]) -> Any:
    """What stands at a path of a value; null where there is nothing."""
    for key in keys:
        inside = value if isinstance(value, dict) else dict(enumerate(value)) if isinstance(value, list) else {}
        value = inside.get(key)
    return value


def as_datetime(value: Any) -> datetime | None:
    """A value as todatetime() reads it, UTC where it names no zone; null where it is none."""
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def as_text(value: Any, fold: Callable[[str], str] = str) -> str:
    """A value as Kusto's tostring() writes it; null is empty."""
    if value is None:
        return ""
    return fold(str(value).lower() if isinstance(value, bool) else str(value))


def rank(value: Any) -> tuple[bool, Any]:
    """A key to sort by; nulls come first."""
    return (value is not None, value if isinstance(value, int | float | datetime) else as_text(value))


def floor(value: Any, size: float) -> datetime | None:
    """The start of the bin of so many seconds that a moment falls into."""
    moment = as_datetime(value)
    return datetime.fromtimestamp(moment.timestamp() // size * size, UTC) if moment else None


def _number(value: Any) -> int | None:
    try:
        return int(float(value))
    except (TypeError, ValueError):
        return None


def _has(have: Any, term: Any) -> bool:
    return re.search(rf"(?<![^\W_]){re.escape(as_text(term))}(?![^\W_])", as_text(have), re.IGNORECASE) is not None


def _less(have: Any, want: Any) -> bool:
    comparable = type(have) is type(want) or {type(have), type(want)} <= {int, float}
    return comparable and bool(have < want)


def _equal(have: Any, want: Any) -> bool:
    return as_text(have) == as_text(want) if isinstance(want, str) else bool(have == want)


def _same(have: Any, want: Any) -> bool:
    return as_text(have, str.lower) == as_text(want, str.lower)


def _starts(have: Any, want: Any) -> bool:
    return as_text(have, str.lower).startswith(as_text(want, str.lower))


def _ends(have: Any, want: Any) -> bool:
    return as_text(have, str.lower).endswith(as_text(want, str.lower))


def _contains(have: Any, want: Any) -> bool:
    return as_text(want, str.lower) in as_text(have, str.lower)


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": _equal,
    "!=": lambda have, want: not _equal(have, want),
    "=~": _same,
    "!~": lambda have, want: not _same(have, want),
    "<": _less,
    ">": lambda have, want: _less(want, have),
    "<=": lambda have, want: _less(have, want) or _equal(have, want),
    ">=": lambda have, want: _less(want, have) or _equal(have, want),
    "has": _has,
    "startswith": _starts,
    "!startswith": lambda have, want: not _starts(have, want),
    "endswith": _ends,
    "!endswith": lambda have, want: not _ends(have, want),
    "contains": _contains,
    "!contains": lambda have, want: not _contains(have, want),
}
CASTS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "tostring": ("string", as_text),
    "tolower": ("string", lambda value: as_text(value, str.lower)),
    "toint": ("number", _number),
    "todatetime": ("datetime", as_datetime),
}
# Other functions of Kusto that Resource Graph answers (Azure's documentation).
OTHER_FUNCTIONS = {"array_length", "bag_keys", "coalesce", "extract", "format_datetime", "iff", "iif", "indexof"}
OTHER_FUNCTIONS |= {"isempty", "isnotempty", "isnotnull", "isnull", "parse_json", "replace", "strlen", "substring"}
OTHER_FUNCTIONS |= {"tobool", "todouble", "todynamic", "tolong", "toupper", "trim"}
