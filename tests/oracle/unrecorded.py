"""What an answer has that no recorded one ever had: a field, or a word (a state, a type, a code).

Rules:
- A field counts where at least five answers of the same operation and status were recorded; a word, where at least five
  of the objects had the field.
- An object is held against those of its own kind at its place, where five were recorded, or else against all there.
  What only other kinds have is named with the kind that it isn't recorded `of`.
- An answer that was never recorded at all is an error too, unless it is a refusal: more can go wrong than was recorded.
- Names that callers choose (tags, property bags) are no fields.
- What the simulated Azure sends all the same stands in `EXCEPTIONS`, with a reason.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from typing import Any

MANY = 5
_ANY = "any kind"
_REFUSAL = re.compile(r" [45]\d\d$")
_LONGEST = 60  # longer strings weren't noted as words

type Words = dict[str, set[str]]  # by field; empty where a field tells no words, or too seldom
type Kinds = dict[str, Words]  # of the objects at a place


class Unrecorded:
    """`shapes` are the recordings by answer (`provider/Operation status`), `nodes` gives the objects of a body, each
    with its place and kind. `excused` are the exceptions that were met.
    """

    def __init__(
        self, shapes: Mapping[str, Any], nodes: Callable[[Any], Any], exceptions: Collection[str] = ()
    ) -> None:
        self._shapes, self._nodes, self._exceptions = shapes, nodes, exceptions
        self._places = cache(self._recorded)
        self.excused: set[str] = set()

    def findings(self, answer: str, body: Any) -> list[str]:
        """What the body of an answer has that was never recorded, but for the exceptions."""
        found = self.found(answer, body)
        self.excused.update(found.keys() & self._exceptions)
        strange = (subject for subject in found if subject not in self._exceptions)
        return [found[subject] for subject in strange if not _REFUSAL.search(subject)]

    def found(self, answer: str, body: Any) -> dict[str, str]:
        """What was never recorded, by the names that exceptions give it."""
        return dict(self._found(answer, body))

    def _found(self, answer: str, body: Any) -> Iterator[tuple[str, str]]:
        if answer not in self._shapes:
            yield answer, "it was never recorded, and docs/fidelity.md doesn't say so"
        places = self._places(answer)
        known = (node for node in self._nodes(body) if node[0] in places)
        for place, kind, held in known:  # at an unknown place, the field that leads there is the finding
            fields, others = places[place].get(kind), places[place][_ANY]
            for name, value in held.items():
                at, words = f"{place}.{name}", (fields or others).get(name)
                of = f" of {kind}" if fields and name in others else ""
                if words is None:
                    yield f"{answer} {at}{of}", f"{at}: recorded {MANY} times and more, and never had"
                elif _is_strange(value, words):
                    yield f"{answer} {at}={value}", f"{at}: {value!r} was never recorded, only {sorted(words)}"

    def _recorded(self, answer: str) -> dict[str, Kinds]:
        """The objects at all places of an answer that was recorded often enough."""
        entry = self._shapes.get(answer, {"n": 0})
        return {place: _kinds(kinds) for place, kinds in entry["nodes"].items()} if entry["n"] >= MANY else {}


def _is_strange(value: Any, words: set[str]) -> bool:
    return bool(words) and isinstance(value, str) and len(value) < _LONGEST and value not in words


def _kinds(kinds: Mapping[str, Any]) -> Kinds:
    often = {kind: _words({kind: told}) for kind, told in kinds.items() if told["n"] >= MANY}
    return {**often, _ANY: _words(kinds)}


def _words(kinds: Mapping[str, Any]) -> Words:
    """Each field of objects of these kinds, with its words."""
    words, seen = defaultdict[str, set[str]](set), defaultdict[str, int](int)
    for kind, told in kinds.items():
        for name, field in told["keys"].items():
            words[name].update(field["v"] or _codes(kind, name))
            seen[name] += field["n"]
    return {name: found if seen[name] >= MANY else set() for name, found in words.items()}


def _codes(kind: str, name: str) -> list[str]:
    """Codes are recorded as a part of the kind of their object alone: `code=ResourceNotFound;…`."""
    return [part.removeprefix("code=") for part in kind.split(";") if name == "code" and part.startswith("code=")]
