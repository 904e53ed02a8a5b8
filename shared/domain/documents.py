"""The kinds of objects in the store. Each folder of the domain declares its own; docs/store.md lists them all."""

from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from shared.domain.errors import NotFound, Unreadable, shown


@dataclass(frozen=True)
class Mark:
    """Objects whose presence says something: `pattern` is their path with names for its parts, `says` is for people.

    `evidence` is kept where nobody can change or delete it; all else is in the ledger.
    """

    pattern: str
    says: str
    evidence: bool = field(default=False, kw_only=True)

    def path(self, **parts: str) -> str:
        """The path of the object with these parts."""
        return self.pattern.format(**parts)

    def folder(self, **parts: str) -> str:
        """The folder of all objects whose first parts are these."""
        text = self.pattern
        for name, value in parts.items():
            text = text.replace(f"{{{name}}}", value)
        return text.partition("{")[0]


@dataclass(frozen=True)
class Document[T](Mark):
    """Objects that hold JSON of this type."""

    struct: type[T]

    def encoded(self, document: T) -> bytes:
        """The document as JSON."""
        return msgspec.json.encode(document)

    def decoded(self, path: str, found: bytes | None) -> T:
        """The document found at this path; raises NotFound for None, and Unreadable for what is no such document."""
        if found is None:
            raise NotFound("DocumentAbsent", f"{path} isn't in the store, where it was written before")
        try:
            return msgspec.json.decode(found, type=self.struct)
        except msgspec.DecodeError as error:
            raise broken(path, error) from error


def moment(path: str, text: str) -> datetime:
    """The time that the object at this path has in its name or holds (ISO 8601, with its zone); raises Unreadable."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise broken(path, error) from error
    if found.tzinfo is None:
        raise broken(path, ValueError(f"{text} has no time zone"))
    return found


def broken(path: str, error: Exception) -> Unreadable:
    """The error that says that an object isn't what Meshward writes to its path."""
    return Unreadable("DocumentBroken", f"{path} in the store was changed and can't be read: {shown(str(error))}")
