"""Which roots count: the store says so, whatever stands in the key vault.

Rules:
- A root counts only if the store has a row of it. Meshward writes one when it makes a root; that of a trust domain's
  first root is written when an operator admits it by its fingerprint. Rows are never changed.
- A row ties a fingerprint to its trust domain, generation and certificate. What anybody imports or tags in the key
  vault has none, so it is never used; that it is there is told.
- A generation that was retired or given up has a mark. It never counts again, even if somebody enables its certificate,
  and its number isn't used again.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from shared.domain.documents import Document, Mark
from shared.domain.trust.mesh import Mesh
from shared.domain.unique import unique_name

_PATH = re.compile(r"roots/(?P<domain>[^/]+)/(?P<generation>\d+)/[^/]+")


class RootRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A root that counts."""

    mesh: Mesh  # whose root it is
    trust_domain: str  # whose root it is
    generation: int  # counts the trust domain's roots
    certificate: str  # its name in Key Vault
    fingerprint: str  # SHA-256, hexadecimal, lower case
    origin: Literal["made", "admitted"]  # by Meshward, or by an operator
    by: str = ""  # object id in Entra of who admitted it
    why: str = ""  # in the operator's words
    at: datetime  # UTC


class RootKey(msgspec.Struct, frozen=True, kw_only=True):
    """The key of a root that is being made."""

    certificate: str  # its name in Key Vault
    key: str = ""  # SHA-256 of the public key by Key Vault's answer; empty: asked for, and no answer has come yet


RECORD = Document("roots/{domain}/{generation}/{fingerprint}.json", "A trust root that counts.", RootRecord)
KEY = Document("roots/{domain}/{generation}/key", "The key that Key Vault made for a trust root.", RootKey)
ENDED = Mark("roots/{domain}/{generation}/ended", "The generation was retired or given up: it never counts again.")


class Generation(NamedTuple):
    """What the store has of one generation of a trust domain's root."""

    domain: str  # the folder's name
    number: int
    records: tuple[str, ...]  # paths
    ended: bool


def domain_folder(mesh: Mesh, trust_domain: str) -> str:
    """The name of a trust domain's folder."""
    return f"{mesh}-{unique_name(trust_domain, mesh, trust_domain)}"


def record_path(record: RootRecord) -> str:
    """Where the row of a root is."""
    return RECORD.path(
        domain=domain_folder(record.mesh, record.trust_domain),
        generation=_number(record.generation),
        fingerprint=record.fingerprint,
    )


def key_path(mesh: Mesh, trust_domain: str, generation: int) -> str:
    """Where the key of a root that is being made is noted."""
    return KEY.path(domain=domain_folder(mesh, trust_domain), generation=_number(generation))


def ended_path(mesh: Mesh, trust_domain: str, generation: int) -> str:
    """Where the mark of an ended generation is."""
    return ENDED.path(domain=domain_folder(mesh, trust_domain), generation=_number(generation))


def _number(generation: int) -> str:
    return f"{generation:04}"


def generations_in(paths: Iterable[str]) -> list[Generation]:
    """The generations that these paths of the store tell of, by trust domain, the oldest first."""
    found: dict[tuple[str, int], list[str]] = {}
    for path in paths:
        if parts := _PATH.fullmatch(path):
            found.setdefault((parts["domain"], int(parts["generation"])), []).append(path)
    return [
        Generation(
            domain=domain,
            number=number,
            records=tuple(p for p in files if p.endswith(".json")),
            ended=any(p.endswith("/ended") for p in files),
        )
        for (domain, number), files in sorted(found.items())
    ]
