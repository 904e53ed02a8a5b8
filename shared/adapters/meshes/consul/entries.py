"""Config entries, such as intentions and the defaults of services: read, and written unless somebody else has.

Consul answers a write that came too late with 200 and `false`; so does a removal.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from shared.adapters.meshes.consul.calls import Calls, Request, segment
from shared.adapters.meshes.consul.errors import EntryChanged
from shared.domain.trust.consul.facts import ConfigEntry


class _Check(msgspec.Struct, rename="pascal"):
    allowed: bool


class ConsulEntries:
    """The config entries of a trust domain: the primary holds them, the secondaries copy them."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def get(self, kind: str, name: str, dc: str = "") -> ConfigEntry | None:
        """The entry, None if there is none."""
        found = await self._calls.find(
            dict[str, Any], f"reading {kind} {name}", f"config/{segment(kind)}/{segment(name)}", dc
        )
        if found is None:
            return None
        return ConfigEntry(kind=kind, name=name, content=found, modify_index=int(found.get("ModifyIndex", 0)))

    async def put(self, kind: str, name: str, content: Mapping[str, object], found: ConfigEntry | None) -> None:
        """Write the entry whole, if it is still as `found` (None: there was none); raises EntryChanged if not."""
        body = {**content, "Kind": kind, "Name": name}
        await self._swap(f"writing {kind} {name}", "PUT", "config", found, body)

    async def delete(self, found: ConfigEntry) -> None:
        """Remove the entry, if it is still as it was found; raises EntryChanged if not."""
        path = f"config/{segment(found.kind)}/{segment(found.name)}"
        await self._swap(f"removing {found.kind} {found.name}", "DELETE", path, found, None)

    async def allowed(self, source: str, destination: str, dc: str = "") -> bool:
        """Whether the intentions let one service connect to another. What depends on a request's path counts as no."""
        doing, path = f"checking {source} to {destination}", "connect/intentions/check"
        found = await self._calls.read(_Check, doing, path, dc, source=source, destination=destination)
        return found.allowed

    async def _swap(
        self, doing: str, method: str, path: str, found: ConfigEntry | None, body: Mapping[str, object] | None
    ) -> None:
        query = {"cas": str(found.modify_index if found else 0)}
        request = Request(method, path, query=query, body=body, refused="ConfigEntryRefused")
        answer = await self._calls.send(doing, request)
        if not self._calls.decoded(answer.content, bool, doing):
            raise EntryChanged(f"{doing} in {self._calls.datacenter}: somebody else has changed it meanwhile")
