"""Values and conditions of the Kusto query language.

Rules:
- A condition joins comparisons by `and`, and these by `or`: == != =~ !~ < <= > >= has contains startswith endswith, the
  last three also with !, in in~; on columns, dotted paths, `['key']`, `[0]` and the functions below.
- What a path doesn't find is null, for which only what begins with ! holds.
- Dynamic values (`properties.x`) must be cast before they are compared with a datetime, as in Kusto.
- case() is the value after the first condition that holds, else its last one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from local.cloud.resources.kusto_tokens import InvalidQuery, NotSimulated, Token, UnknownFunction
from local.cloud.resources.kusto_values import (
    CASTS,
    COMPARISONS,
    OTHER_FUNCTIONS,
    Row,
    as_datetime,
    as_text,
    dig,
    floor,
)

Condition = Callable[[Row], bool]
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


@dataclass(frozen=True)
class Term:
    """A value of a row; `kind` is dynamic, string, datetime, number or bool, `name` what it's called when projected."""

    kind: str
    of: Callable[[Row], Any]
    name: str = ""


class Terms:
    """Reads values and conditions where the tokens have them."""

    def __init__(self, tokens: list[Token], columns: dict[str, str], now: datetime) -> None:
        self._tokens, self._at, self._columns, self._now = tokens, 0, columns, now

    def _condition(self) -> Condition:
        ways = [self._conjunction()]
        while self._skip("or"):
            ways.append(self._conjunction())
        return lambda row: any(all(holds(row) for holds in way) for way in ways)

    def _conjunction(self) -> list[Condition]:
        conditions = [self._comparison()]
        while self._skip("and"):
            conditions.append(self._comparison())
        return conditions

    def _comparison(self) -> Condition:
        left, sign = self._term(), self._advance()
        if sign.text in ("in", "in~"):
            options = self._list()
            fold = str.lower if sign.text == "in~" else str
            values = {fold(option) for option in options}
            return lambda row: as_text(left.of(row), fold) in values
        if sign.text not in COMPARISONS:
            raise InvalidQuery(sign.text, sign.position)
        right = self._term()
        if {left.kind, right.kind} == {"dynamic", "datetime"} or (
            sign.text[0] in "<>" and "dynamic" not in (left.kind, right.kind) and left.kind != right.kind
        ):
            raise InvalidQuery(sign.text, sign.position)
        compare = COMPARISONS[sign.text]

        def holds(row: Row) -> bool:
            have, want = left.of(row), right.of(row)
            if have is None or want is None:
                return sign.text.startswith("!") and have is not want
            return compare(have, want)

        return holds

    def _list(self) -> list[str]:
        self._expect("(")
        options = [self._take("string").text[1:-1]]
        while self._skip(","):
            options.append(self._take("string").text[1:-1])
        self._expect(")")
        return options

    def _term(self) -> Term:
        token = self._advance()
        if token.kind != "word" or token.text in ("true", "false"):
            return _literal(token)
        return self._path(self._call(token) if self._next.text == "(" else self._column(token))

    def _call(self, function: Token) -> Term:
        calls: dict[str, Callable[[], Term]] = {
            "now": lambda: Term("datetime", lambda _: self._now),
            "ago": self._ago,
            "bin": self._bin,
            "case": self._case,
            "split": self._split,
            "strcat": self._strcat,
            **dict.fromkeys(CASTS, lambda: self._cast(function.text)),
        }
        if function.text in OTHER_FUNCTIONS:
            raise NotSimulated(f"function {function.text}")
        if function.text not in calls:
            raise UnknownFunction(function.text, function.position)
        self._expect("(")
        term = calls[function.text]()
        self._expect(")")
        return term

    def _ago(self) -> Term:
        since = self._now - self._timespan()
        return Term("datetime", lambda _: since)

    def _bin(self) -> Term:
        inner = self._term()
        self._expect(",")
        size = self._timespan().total_seconds()
        return Term("datetime", lambda row: floor(inner.of(row), size), inner.name)

    def _cast(self, name: str) -> Term:
        inner, (kind, cast) = self._term(), CASTS[name]
        return Term(kind, lambda row: cast(inner.of(row)), inner.name)

    def _case(self) -> Term:
        ways: list[tuple[Condition, Term]] = []
        while True:
            start = self._at
            last = self._term()
            if self._next.text == ")":
                break
            self._at = start
            condition = self._condition()
            self._expect(",")
            ways.append((condition, self._term()))
            self._expect(",")
        kinds = {term.kind for _, term in ways} | {last.kind}

        def chosen(row: Row) -> Any:
            return next((term for holds, term in ways if holds(row)), last).of(row)

        return Term(kinds.pop() if len(kinds) == 1 else "dynamic", chosen)

    def _split(self) -> Term:
        text = self._term()
        self._expect(",")
        at = self._take("string").text[1:-1]
        return Term("dynamic", lambda row: as_text(text.of(row)).split(at))

    def _strcat(self) -> Term:
        parts = [self._term()]
        while self._skip(","):
            parts.append(self._term())
        return Term("string", lambda row: "".join(as_text(part.of(row)) for part in parts))

    def _timespan(self) -> timedelta:
        span = self._take("timespan").text
        return timedelta(**{_UNITS[span[-1]]: float(span[:-1])})

    def _column(self, column: Token) -> Term:
        if column.text not in self._columns:
            raise InvalidQuery(column.text, column.position)
        return Term(self._columns[column.text], lambda row: row.get(column.text), column.text)

    def _path(self, start: Term) -> Term:
        keys: list[str | int] = []
        while self._next.text in (".", "["):
            if start.kind != "dynamic":
                raise InvalidQuery(self._next.text, self._next.position)
            keys.append(self._key_of_path())
        name = "_".join([start.name, *map(str, keys)])
        return Term(start.kind, lambda row: dig(start.of(row), keys), name) if keys else start

    def _key_of_path(self) -> str | int:
        if self._skip("."):
            return self._take("word").text
        self._expect("[")
        key = self._advance()
        self._expect("]")
        if key.kind not in ("string", "number"):
            raise InvalidQuery(key.text, key.position)
        return key.text[1:-1] if key.kind == "string" else int(key.text)

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _advance(self) -> Token:
        token = self._next
        if token.kind == "end":
            raise InvalidQuery(token.text, token.position)
        self._at += 1
        return token

    def _take(self, kind: str) -> Token:
        token = self._advance()
        if token.kind != kind:
            raise InvalidQuery(token.text, token.position)
        return token

    def _skip(self, text: str) -> bool:
        if self._next.text != text:
            return False
        self._at += 1
        return True

    def _expect(self, text: str) -> None:
        if not self._skip(text):
            raise InvalidQuery(self._next.text, self._next.position)


def _literal(token: Token) -> Term:
    if token.kind == "word":
        return Term("bool", lambda _: token.text == "true")
    if token.kind == "string":
        return Term("string", lambda _: token.text[1:-1])
    if token.kind == "number":
        return Term("number", lambda _: float(token.text))
    moment = as_datetime(token.text[9:-1].strip()) if token.kind == "datetime" else None
    if moment is None:
        raise InvalidQuery(token.text, token.position)
    return Term("datetime", lambda _: moment)
