"""Config entries and what intentions say: the primary holds them, secondaries have copies at once.

Rules:
- With `cas`, an entry is written only at that index, 0 where there is none; a lost write is answered with `false`, and
  the same content again with `true`. Without, it is overwritten, whatever index the body has.
- Of the intentions that fit, the most exact one counts; with none, connections are denied. What depends on the path of
  a request counts as denied.
"""

from collections.abc import Callable, Mapping
from typing import Any

from local.cloud.consul.errors import ConsulError

_INTENTIONS = "service-intentions"
_DEFAULTED = {"Kind", "Name", "CreateIndex", "ModifyIndex", "Hash"}
_RANKS = {(True, True): 9, (False, True): 8, (True, False): 6, (False, False): 5}  # source and destination exact

type Entry = dict[str, Any]


class ConfigEntries:
    """The config entries of a trust domain."""

    def __init__(self, next_index: Callable[[], int]) -> None:
        self._next_index = next_index
        self._entries: dict[tuple[str, str], Entry] = {}

    def get(self, kind: str, name: str) -> Entry:
        if (kind, name) not in self._entries:
            raise ConsulError(f'Config entry not found for "{kind}" / "{name}"', 404)
        return self._entries[kind, name]

    def put(self, body: Entry, cas: int | None) -> bool:
        kind, name = body["Kind"], body["Name"]
        if kind == _INTENTIONS:
            body = {**body, "Sources": _checked(body)}
        found = self._entries.get((kind, name))
        if found and _content(found) == _content(body):
            return True
        if cas is not None and cas != (found["ModifyIndex"] if found else 0):
            return False
        index = self._next_index()
        created = found["CreateIndex"] if found else index
        self._entries[kind, name] = {**_content(body), "Kind": kind, "Name": name} | {
            "CreateIndex": created,
            "ModifyIndex": index,
        }
        return True

    def delete(self, kind: str, name: str, cas: int | None) -> bool:
        found = self._entries.get((kind, name))
        if found is None or (cas is not None and cas != found["ModifyIndex"]):
            return False
        del self._entries[kind, name]
        self._next_index()
        return True

    def allowed(self, source: str, destination: str) -> bool:
        """Whether a service may connect to another."""
        fitting = [
            (_RANKS[s["Name"] == source, name == destination], s.get("Action"))
            for (kind, name), entry in self._entries.items()
            if kind == _INTENTIONS and name in (destination, "*")
            for s in entry["Sources"]
            if s["Name"] in (source, "*")
        ]
        return bool(fitting) and max(fitting, key=lambda one: one[0])[1] == "allow"


def _checked(body: Entry) -> list[dict[str, Any]]:
    sources: list[dict[str, Any]] = body.get("Sources") or []
    if not sources:
        raise ConsulError("At least one source is required")
    return [{"Type": "consul", **source} for source in sources]


def _content(entry: Mapping[str, Any]) -> Entry:
    return {name: value for name, value in entry.items() if name not in _DEFAULTED}
