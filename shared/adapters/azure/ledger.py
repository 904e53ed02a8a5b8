"""The ledger: small documents in an object store, most of them written once and never changed.

The store's URL is `az://<account>/<container>` (Azure Blob Storage with a managed identity), `file:///<folder>` or
`memory://`.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import obstore
from azure.core.credentials_async import AsyncTokenCredential
from azure.identity.aio import ManagedIdentityCredential
from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, PreconditionError
from obstore.store import AzureStore, LocalStore, ObjectStore, from_url

from shared.domain.documents import Document, broken
from shared.domain.errors import TemporaryError

_LARGEST = 64 * 1024 * 1024  # bytes; a manifest of a hundred thousand files has a quarter of that


class _Found(NamedTuple):
    """A document, and what the store tells its versions apart by."""

    document: bytes
    e_tag: str


class Ledger:
    """Documents by path; failures of the store are TemporaryError. `options` go to the client of Blob Storage.

    A document of more than `largest` bytes isn't read: it is Unreadable "DocumentBroken".
    """

    def __init__(self, url: str, credential: AsyncTokenCredential, *, largest: int = _LARGEST, **options: Any) -> None:
        self._store, self._largest = _open(url, credential, options), largest

    async def create(self, path: str, document: bytes) -> bool:
        """Write a new document; False, and nothing is written, if there is one already."""
        with _translated(f"writing {path}"):
            try:
                await obstore.put_async(self._store, path, document, mode="create")
            except AlreadyExistsError:
                return False
            except PermissionDeniedError:  # a role that may only create is refused what exists
                if await self._found(path) is None:
                    raise
                return False
        return True

    async def update(self, path: str, document: bytes, *, seen: bytes | None) -> bool:
        """Write a document in place of what was `seen` (None: no document); False, and nothing is written, if another
        writer was faster.
        """
        if seen is None:
            return await self.create(path, document)
        with _translated(f"writing {path}"):
            if isinstance(self._store, LocalStore):
                return _swap(self._store, path, document, seen)
            found = await self._found(path)
            if found is None or found.document != seen:
                return False
            try:
                await obstore.put_async(self._store, path, document, mode={"e_tag": found.e_tag})
            except PreconditionError:
                return False
        return True

    async def read(self, path: str) -> bytes | None:
        """The document, None if there is none."""
        with _translated(f"reading {path}"):
            found = await self._found(path)
            return found.document if found else None

    async def get[T](self, document: Document[T], path: str) -> T:
        """The document of this kind; raises NotFound "DocumentAbsent" or Unreadable "DocumentBroken"."""
        return document.decoded(path, await self.read(path))

    async def find[T](self, document: Document[T], path: str) -> T | None:
        """The document of this kind, None if there is none; raises Unreadable "DocumentBroken"."""
        found = await self.read(path)
        return document.decoded(path, found) if found is not None else None

    async def _found(self, path: str) -> _Found | None:
        try:
            found = await obstore.get_async(self._store, path)
            if found.meta["size"] > self._largest:
                raise broken(path, ValueError(f"it has more than {self._largest} bytes"))
            return _Found(bytes(await found.bytes_async()), found.meta["e_tag"] or "")
        except FileNotFoundError as error:
            if "ContainerNotFound" in str(error):  # the text alone tells a missing store from a missing document
                raise
            return None

    async def list(self, prefix: str, after: str | None = None) -> list[str]:
        """The paths under a folder, those greater than `after` if it is given, in order."""
        with _translated(f"listing {prefix}"):
            found = [row["path"] async for rows in obstore.list(self._store, prefix, offset=after) for row in rows]
        return sorted(path for path in found if path > (after or ""))  # Azurite knows no offset


def _open(url: str, credential: AsyncTokenCredential, options: dict[str, Any]) -> ObjectStore:
    if url.startswith("az://"):
        from obstore.auth.azure import AzureAsyncCredentialProvider

        account, _, container = url.removeprefix("az://").partition("/")
        return AzureStore(
            container,
            account_name=account,
            credential_provider=AzureAsyncCredentialProvider(credential=cast("ManagedIdentityCredential", credential)),
            retry_config={"max_retries": 0},
            **options,
        )
    return LocalStore.from_url(url, mkdir=True) if url.startswith("file:") else from_url(url)


def _swap(store: LocalStore, path: str, document: bytes, seen: bytes) -> bool:
    """A folder knows no conditional write: its writers take turns instead, those of other processes too."""
    folder = os.open(str(store.prefix), os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        if bytes(obstore.get(store, path).bytes()) != seen:
            return False
        obstore.put(store, path, document)
    except FileNotFoundError:
        return False
    finally:
        os.close(folder)
    return True


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError) as error:
        raise TemporaryError("LedgerUnavailable", f"{doing}: {type(error).__name__}") from error
