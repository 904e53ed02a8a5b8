"""Event Grid's filters: which events a subscription gets.

Rules (Event Grid docs):
- Filters are joined by AND, the values of one filter by OR; strings compare without case.
- A key that is missing matches no filter, except the Not… operators and IsNullOrUndefined.
- At most 25 filters and 25 values over all of them.
"""

from collections.abc import Callable, Sequence
from typing import Any

Event = dict[str, Any]
Filter = dict[str, Any]  # {"operatorType", "key", "value" or "values"}, as Resource Manager takes them
_MISSING = object()


def _strings(test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    return lambda have, want: isinstance(have, str) and test(have.lower(), str(want).lower())


def _numbers(test: Callable[[float, float], bool]) -> Callable[[Any, Any], bool]:
    return lambda have, want: isinstance(have, int | float) and not isinstance(have, bool) and test(have, want)


_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "StringIn": _strings(lambda have, want: have == want),
    "StringBeginsWith": _strings(str.startswith),
    "StringEndsWith": _strings(str.endswith),
    "StringContains": _strings(lambda have, want: want in have),
    "NumberIn": _numbers(lambda have, want: have == want),
    "NumberLessThan": _numbers(lambda have, want: have < want),
    "NumberLessThanOrEquals": _numbers(lambda have, want: have <= want),
    "NumberGreaterThan": _numbers(lambda have, want: have > want),
    "NumberGreaterThanOrEquals": _numbers(lambda have, want: have >= want),
    "BoolEquals": lambda have, want: have is want,
}
_NEGATED = {
    "StringNotIn": "StringIn",
    "StringNotBeginsWith": "StringBeginsWith",
    "StringNotEndsWith": "StringEndsWith",
    "StringNotContains": "StringContains",
    "NumberNotIn": "NumberIn",
}


def check(filters: Sequence[Filter]) -> None:
    """Raises ValueError for filters that the service would refuse."""
    unknown = {f["operatorType"] for f in filters} - {*_TESTS, *_NEGATED, "IsNullOrUndefined", "IsNotNull"}
    if unknown or len(filters) > 25 or sum(len(_wanted(f)) for f in filters) > 25:
        raise ValueError(f"Event Grid refuses these filters: {unknown or 'more than 25 filters or values'}")


def matches_filter(filter: Filter, event: Event) -> bool:
    """Whether an event matches one advanced filter."""
    operator, have = str(filter["operatorType"]), _value(event, filter["key"])
    if operator in ("IsNullOrUndefined", "IsNotNull"):
        return bool(have is _MISSING or have is None) is (operator == "IsNullOrUndefined")
    test = _TESTS[_NEGATED.get(operator, operator)]
    return any(test(have, want) for want in _wanted(filter)) != (operator in _NEGATED)


def _wanted(filter: Filter) -> list[Any]:
    return list(filter.get("values", [filter["value"]] if "value" in filter else []))


def _value(event: Event, key: str) -> Any:
    """What stands at a key such as `Subject` or `data.operationName`; only names of the envelope ignore case."""
    first, *rest = key.split(".")
    value: Any = next((v for name, v in event.items() if name.lower() == first.lower()), _MISSING)
    for name in rest:
        value = value.get(name, _MISSING) if isinstance(value, dict) else _MISSING
    return value
