"""The kinds of documents in the store. A room of the domain declares its own, `store` lists them all."""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from shared.domain.errors import NotFound, Unreadable


@dataclass(frozen=True)
class Mark:
    """Objects of the store that say something by being there: their path, with the names of its parts, and what."""

    pattern: str
    says: str

    def path(self, **parts: str) -> str:
        """Where the one with these parts stands."""
        return self.pattern.format(**parts)

    def folder(self, **parts: str) -> str:
        """The folder of all that have these parts, which are the first."""
        text = self.pattern
        for name, value in parts.items():
            text = text.replace(f"{{{name}}}", value)
        return text.partition("{")[0]


@dataclass(frozen=True)
class Document[T](Mark):
    """Documents of one kind: JSON of this type."""

    struct: type[T]

    def encoded(self, document: T) -> bytes:
        """The document as the store keeps it."""
        return msgspec.json.encode(document)

    def decoded(self, path: str, found: bytes | None) -> T:
        """What was found at this path; raises NotFound where nothing was, Unreadable for what isn't such a document."""
        if found is None:
            raise NotFound("DocumentAbsent", f"{path} isn't in the store, where it was written before")
        try:
            return msgspec.json.decode(found, type=self.struct)
        except msgspec.DecodeError as error:
            raise broken(path, error) from error


def moment(path: str, text: str) -> datetime:
    """The time that the object at this path has in its name or holds (ISO 8601); raises Unreadable."""
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise broken(path, error) from error


def broken(path: str, error: Exception) -> Unreadable:
    """What says that an object isn't what was written to its path."""
    return Unreadable("DocumentBroken", f"{path} in the store was changed and can't be read: {error}")
