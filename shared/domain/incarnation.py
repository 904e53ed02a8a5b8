"""What tells one incarnation of a cluster from another with the same resource id.

Rules:
- AKS sends no time of creation. It sends the object id of a cluster's system-assigned identity, and in some versions of
  its API a `resourceUID`. Both are made with the cluster and never given to another one.
- A user-assigned identity tells nothing: it outlives its clusters, and a cluster may change it.
- The same identity under another `resourceUID` contradicts itself, and is unknown.
- What is empty or unknown on either side is unknown: neither the same incarnation for sure, nor another one.
- Earlier versions tagged vaults with a time of creation, which was empty in practice. The names of what they made come
  from it; which incarnation it was is unknown until an operator says so: the tag then has both, and names stay.
"""

import re
from datetime import datetime
from typing import Self

import msgspec

from shared.domain.resource_id import same

_TAG = re.compile(r"(earlier=(?P<earlier>[^,]*),)?principal=(?P<principal>[\w-]*),uid=(?P<uid>[\w-]*)")


class Incarnation(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an incarnation of a cluster; empty where nobody says."""

    principal: str = ""  # object id of its system-assigned identity
    uid: str = ""  # its resourceUID
    earlier: str = ""  # the tag of an earlier version
    settled: bool = False  # whether an operator has said which incarnation such a tag is about

    @classmethod
    def read(cls, text: str) -> Self:
        """What a tag tells; raises ValueError for a text that Meshward has never written."""
        match = _TAG.fullmatch(text)
        earlier = match["earlier"] if match else text
        if earlier:
            datetime.fromisoformat(earlier)
        if match is None:
            return cls(earlier=text)
        settled = earlier is not None
        return cls(principal=match["principal"], uid=match["uid"], earlier=earlier or "", settled=settled)

    @property
    def text(self) -> str:
        """What is written into a tag; empty if nothing is known."""
        known = f"principal={self.principal},uid={self.uid}"
        if self.settled:
            return f"earlier={self.earlier},{known}"
        return known if self.principal or self.uid else self.earlier

    @property
    def key(self) -> str:
        """What names are made of: it stays the same if Azure begins to send, or no longer sends, a `resourceUID`."""
        return self.earlier if self.settled else self.principal.lower() or self.uid.lower() or self.earlier

    def same(self, other: Self) -> bool:
        """Whether both are known to be the same."""
        return _agree(self, other) is True

    def another(self, other: Self) -> bool:
        """Whether both are known to be different ones."""
        return _agree(self, other) is False


def _agree(one: Incarnation, other: Incarnation) -> bool | None:
    uids = _alike(one.uid, other.uid)
    principals = _alike(one.principal, other.principal)
    if uids is None:
        return principals
    return None if principals and not uids else uids


def _alike(one: str, other: str) -> bool | None:
    return same(one, other) if one and other else None
