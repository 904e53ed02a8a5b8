"""The kinds of documents in the store. A room of the domain declares its own, `store` lists them all."""

from dataclasses import dataclass

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
            raise Unreadable("DocumentBroken", f"{path} in the store was changed and can't be read: {error}") from error
