"""Data from outside becomes a struct, or is refused with the place of the fault."""

import re

import msgspec

_FAULT = re.compile(
    r"(?:(?P<refused>\w+): |Object contains unknown field `(?P<unknown>.*?)`|Object missing required field "
    r"`(?P<missing>.*?)`)?(?P<why>.*?)(?: - at `\$(?P<at>.*)`)?",
    re.DOTALL,
)


class Misfit(ValueError):
    """Data that doesn't fit its type: `at` is where (`.trust.issuer_lifetime`, empty for the whole), `why` says why."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        refused, unknown, missing, why, at = _FAULT.fullmatch(str(error)).groups("")  # type: ignore[union-attr]  # it matches all
        field = refused or unknown or missing
        self.at = f"{at}.{field}" if field else at
        self.why = why or ("it is missing" if missing else "there is no such field")


def converted[T](found: object, kind: type[T], *, strict: bool = True) -> T:
    """The data as this type; raises Misfit. Unless `strict`, a text may stand for a number."""
    try:
        return msgspec.convert(found, kind, strict=strict)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Misfit(error) from error
