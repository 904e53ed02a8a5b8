"""What every section of the policy document has in common: its knobs, each declared once, as a field.

A docstring below the field says what the knob means; the schema's hover text and docs/policy.md follow from it. The
field's `msgspec.Meta` has its bounds. What msgspec has no word for stands in `extra`:

at_least, at_most, longer_than    bounds of a duration
unit                              what a number counts
unset                             what holds while the knob is empty
formerly                          the name that it had before, which is still taken
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_IN_HOURS = timedelta(hours=48)  # up to there a duration is written in hours

type SomeTime = Annotated[timedelta, Meta(extra={"longer_than": timedelta()})]  # a duration that can't be nothing

_BOUNDS: dict[str, tuple[str, Callable[[timedelta, timedelta], bool]]] = {
    "at_least": ("shorter than", timedelta.__ge__),
    "at_most": ("longer than", timedelta.__le__),
    "longer_than": ("not longer than", timedelta.__gt__),
}


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Knobs of one concern. A duration outside of its bounds is refused with a ValueError "<knob>: <why>"."""

    def __post_init__(self) -> None:
        for knob, extra in extras(type(self)).items():
            value = getattr(self, knob)
            for bound, (fault, holds) in _BOUNDS.items():
                if bound in extra and value is not None and not holds(value, extra[bound]):
                    raise ValueError(f"{knob}: {fault} {written(extra[bound])}")


@cache
def extras(section: type[msgspec.Struct]) -> dict[str, dict[str, Any]]:
    """What the knobs of a section have in `extra`, by their names."""
    types = {field.name: field.type for field in msgspec.inspect.type_info(section).fields}  # type: ignore[attr-defined]
    return {name: getattr(type, "extra", None) or {} for name, type in types.items()}


def renamed(section: type[msgspec.Struct], given: Mapping[str, Any]) -> dict[str, Any]:
    """What the document says of a section, by today's names. A former name beside today's stays, to be refused."""
    former = {extra["formerly"]: knob for knob, extra in extras(section).items() if "formerly" in extra}
    taken = {old: knob for old, knob in former.items() if knob not in given}
    return {taken.get(knob, knob): value for knob, value in given.items()}


def written(span: timedelta) -> str:
    """A duration as the document says it (ISO 8601), in hours or days."""
    if span > _IN_HOURS and not span % _DAY:
        return f"P{span // _DAY}D"
    return f"PT{span // _HOUR}H" if span else "PT0S"
