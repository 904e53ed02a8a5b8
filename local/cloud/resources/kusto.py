"""The part of the Kusto query language that is used here; all else raises InvalidQuery.

Rules:
- A query is a table and stages: where, project, extend, summarize, order by (sort by), take (limit).
- A condition joins comparisons by `and`, and these by `or`: == != =~ !~ < <= > >= has !startswith in in~, on columns,
  dotted paths, `['key']`, tostring(), todatetime(), tolower(), toint(), now(), ago(), datetime(), bin() of datetimes.
- `summarize` knows count(), max() and arg_max(…, *), and names what it counts `count_`.
- Table names ignore case, columns don't. What a path doesn't find is null, for which only what begins with ! holds.
- Dynamic values (`properties.x`) must be cast before they are compared with a datetime, as in Kusto.
- `order by` is descending unless it says `asc`; a projected path without a name is called `properties_x`.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from local.cloud.resources.kusto_tokens import InvalidQuery, Token, tokens
from local.cloud.resources.kusto_values import CASTS, COMPARISONS, Row, as_datetime, as_text, dig, floor, rank

Stage = Callable[[list[Row]], list[Row]]
Aggregate = Callable[[list[Row]], Row]
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


@dataclass(frozen=True)
class _Term:
    """A value of a row; `kind` is dynamic, string, datetime, number or bool, `name` what it's called when projected."""

    kind: str
    of: Callable[[Row], Any]
    name: str = ""


@dataclass(frozen=True)
class Query:
    """A parsed query: the table's name in lower case, and what happens to its rows."""

    table: str
    stages: tuple[Stage, ...]

    def run(self, rows: list[Row]) -> list[Row]:
        for stage in self.stages:
            rows = stage(rows)
        return rows


def parse(text: str, columns: dict[str, str], now: datetime) -> Query:
    """Raises InvalidQuery. `columns` are the table's, with their kinds."""
    return _Parser(tokens(text), dict(columns), now).query()


def aggregated(made: list[Aggregate], rows: list[Row]) -> Row:
    """What becomes of a group of rows."""
    return {name: value for make in made for name, value in make(rows).items()}


class _Parser:
    def __init__(self, tokens: list[Token], columns: dict[str, str], now: datetime) -> None:
        self._tokens, self._at, self._columns, self._now = tokens, 0, columns, now

    def query(self) -> Query:
        table = self._take("word").text.lower()
        stages = []
        while self._next.kind != "end":
            self._expect("|")
            stages.append(self._stage())
        return Query(table, tuple(stages))

    def _stage(self) -> Stage:
        word = self._take("word")
        kinds: dict[str, Callable[[], Stage]] = {
            "where": self._where,
            "project": lambda: self._columns_stage(keep=False),
            "extend": lambda: self._columns_stage(keep=True),
            "summarize": self._summarize,
            "order": self._order,
            "sort": self._order,
            "take": self._limit,
            "limit": self._limit,
        }
        if word.text not in kinds:
            raise InvalidQuery(word.text, word.position)
        return kinds[word.text]()

    def _where(self) -> Stage:
        ways = [self._conjunction()]
        while self._skip("or"):
            ways.append(self._conjunction())
        return lambda rows: [row for row in rows if any(all(holds(row) for holds in way) for way in ways)]

    def _conjunction(self) -> list[Callable[[Row], bool]]:
        conditions = [self._comparison()]
        while self._skip("and"):
            conditions.append(self._comparison())
        return conditions

    def _comparison(self) -> Callable[[Row], bool]:
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

    def _columns_stage(self, *, keep: bool) -> Stage:
        chosen = [self._named()]
        while self._skip(","):
            chosen.append(self._named())
        base = dict(self._columns) if keep else {}
        self._columns = base | {term.name: term.kind for term in chosen}
        return lambda rows: [{**(row if keep else {}), **{term.name: term.of(row) for term in chosen}} for row in rows]

    def _named(self) -> _Term:
        if self._next.kind == "word" and self._tokens[self._at + 1].text == "=":
            name = self._advance().text
            self._expect("=")
            term = self._term()
            return _Term(term.kind, term.of, name)
        return self._term()

    def _summarize(self) -> Stage:
        made, keys = [self._aggregate()], []
        while self._skip(","):
            made.append(self._aggregate())
        if self._skip("by"):
            keys.append(self._named())
            while self._skip(","):
                keys.append(self._named())
        self._columns |= {key.name: key.kind for key in keys}

        def summarized(rows: list[Row]) -> list[Row]:
            groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
            for row in rows:
                groups[tuple(key.of(row) for key in keys)].append(row)
            named = [key.name for key in keys]
            return [{**aggregated(made, group), **dict(zip(named, by, strict=True))} for by, group in groups.items()]

        return summarized

    def _aggregate(self) -> Aggregate:
        name = self._advance().text if self._tokens[self._at + 1].text == "=" else ""
        if name:
            self._expect("=")
        function = self._take("word")
        self._expect("(")
        if function.text == "count":
            self._expect(")")
            self._columns[name or "count_"] = "number"
            return lambda rows: {name or "count_": len(rows)}
        term = self._term()
        if function.text == "arg_max":
            self._expect(",")
            self._expect("*")
        elif function.text != "max":
            raise InvalidQuery(function.text, function.position)
        self._expect(")")
        if function.text == "arg_max":
            return lambda rows: max(rows, key=lambda row: rank(term.of(row)))
        self._columns[name or f"max_{term.name}"] = term.kind
        return lambda rows: {name or f"max_{term.name}": max((term.of(row) for row in rows), key=rank)}

    def _order(self) -> Stage:
        self._expect("by")
        keys = [self._key()]
        while self._skip(","):
            keys.append(self._key())

        def ordered(rows: list[Row]) -> list[Row]:
            for term, ascending in reversed(keys):
                rows = sorted(rows, key=lambda row: rank(term.of(row)), reverse=not ascending)
            return rows

        return ordered

    def _key(self) -> tuple[_Term, bool]:
        term = self._term()
        ascending = self._skip("asc")
        if not ascending:
            self._skip("desc")
        return term, ascending

    def _limit(self) -> Stage:
        most = int(self._take("number").text)
        return lambda rows: rows[:most]

    def _term(self) -> _Term:
        token = self._advance()
        if token.kind == "word" and self._next.text == "(":
            return self._call(token)
        if token.kind == "word" and token.text in ("true", "false"):
            return _Term("bool", lambda _: token.text == "true")
        if token.kind == "word":
            return self._path(token)
        if token.kind == "string":
            return _Term("string", lambda _: token.text[1:-1])
        if token.kind == "number":
            return _Term("number", lambda _: float(token.text))
        moment = as_datetime(token.text[9:-1].strip()) if token.kind == "datetime" else None
        if moment is None:
            raise InvalidQuery(token.text, token.position)
        return _Term("datetime", lambda _: moment)

    def _call(self, function: Token) -> _Term:
        self._expect("(")
        if function.text == "now":
            term = _Term("datetime", lambda _: self._now)
        elif function.text == "ago":
            since = self._now - self._timespan()
            term = _Term("datetime", lambda _: since)
        elif function.text == "bin":
            inner = self._term()
            self._expect(",")
            size = self._timespan().total_seconds()
            term = _Term("datetime", lambda row: floor(inner.of(row), size), inner.name)
        elif function.text in CASTS:
            inner, (kind, cast) = self._term(), CASTS[function.text]
            term = _Term(kind, lambda row: cast(inner.of(row)), inner.name)
        else:
            raise InvalidQuery(function.text, function.position)
        self._expect(")")
        return term

    def _timespan(self) -> timedelta:
        span = self._take("timespan").text
        return timedelta(**{_UNITS[span[-1]]: float(span[:-1])})

    def _path(self, column: Token) -> _Term:
        if column.text not in self._columns:
            raise InvalidQuery(column.text, column.position)
        kind, keys = self._columns[column.text], [column.text]
        while self._next.text in (".", "["):
            keys.append(self._key_of_path())
        if len(keys) > 1 and kind != "dynamic":
            raise InvalidQuery(column.text, column.position)
        return _Term(kind, lambda row: dig(row, keys), "_".join(keys))

    def _key_of_path(self) -> str:
        if self._skip("."):
            return self._take("word").text
        self._expect("[")
        key = self._take("string").text[1:-1]
        self._expect("]")
        return key

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
