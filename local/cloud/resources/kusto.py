"""The part of the Kusto query language that is used here; all else raises InvalidQuery or NotSimulated.

Rules:
- A query is a table and stages: where, project, extend, summarize, order by (sort by), take (limit).
- `summarize` knows count(), max() and arg_max(…, *), and names what it counts `count_`.
- Table names ignore case, columns don't.
- `order by` is descending unless it says `asc`; a projected path without a name is called `properties_x`.
- What else Resource Graph knows isn't simulated, and says so: it isn't taken for what Azure refuses.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from local.cloud.resources.kusto_terms import Term, Terms
from local.cloud.resources.kusto_tokens import InvalidQuery, NotSimulated, tokens
from local.cloud.resources.kusto_values import Row, rank

Stage = Callable[[list[Row]], list[Row]]
Aggregate = Callable[[list[Row]], Row]
# Resource Graph's other operators (its documentation).
_OPERATORS = {"count", "distinct", "join", "mvexpand", "mv-expand", "parse", "project-away", "top", "union"}


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
    return _Stages(tokens(text), dict(columns), now).query()


def aggregated(made: list[Aggregate], rows: list[Row]) -> Row:
    """What becomes of a group of rows."""
    return {name: value for make in made for name, value in make(rows).items()}


class _Stages(Terms):
    """Reads a query."""

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
        if word.text in _OPERATORS:
            raise NotSimulated(f"operator {word.text}")
        if word.text not in kinds:
            raise InvalidQuery(word.text, word.position)
        return kinds[word.text]()

    def _where(self) -> Stage:
        holds = self._condition()
        return lambda rows: [row for row in rows if holds(row)]

    def _columns_stage(self, *, keep: bool) -> Stage:
        chosen = [self._named()]
        while self._skip(","):
            chosen.append(self._named())
        base = dict(self._columns) if keep else {}
        self._columns = base | {term.name: term.kind for term in chosen}
        return lambda rows: [{**(row if keep else {}), **{term.name: term.of(row) for term in chosen}} for row in rows]

    def _named(self) -> Term:
        if self._next.kind == "word" and self._tokens[self._at + 1].text == "=":
            name = self._advance().text
            self._expect("=")
            term = self._term()
            return Term(term.kind, term.of, name)
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

    def _key(self) -> tuple[Term, bool]:
        term = self._term()
        ascending = self._skip("asc")
        if not ascending:
            self._skip("desc")
        return term, ascending

    def _limit(self) -> Stage:
        most = int(self._take("number").text)
        return lambda rows: rows[:most]
