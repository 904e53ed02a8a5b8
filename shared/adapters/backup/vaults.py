"""What protections need of a vault, the same for both services that keep backups.

What became of a PUT is what a later GET shows, or its operation while there is nothing to be read. Settings are told in
the words of Backup vaults, so that both kinds of vault are held to the same requirements. A Resource Guard belongs to
somebody else, and Meshward only attaches it to vaults; what it guards then takes the consent of its owners.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, ClassVar

import msgspec
from azure.core.exceptions import HttpResponseError

from shared.adapters.azure.common import AnswerSeen, Management, plain, properties_of, read, translated
from shared.adapters.backup.restores import BackupFault
from shared.domain.errors import shown
from shared.domain.operations import FoundOperation
from shared.domain.resource_id import same
from shared.domain.vaults.findings import Found, FoundVault
from shared.domain.vaults.policy import Redundancy
from shared.domain.vaults.protection import Protection, VaultRequirements
from shared.domain.vaults.source import FoundItem, VaultService


class Vaults(Management, ABC):
    """The vaults of one service. Reads give None for what isn't there."""

    service: ClassVar[VaultService]

    async def vault(self, protection: Protection) -> FoundVault | None:
        """The cluster's vault, with its Resource Guard if the policy document names one."""
        vault = self._requirements(protection)
        reading = self._vaults(protection).get(protection.group, vault.name)
        found = await read(vault.label, reading, self._found)
        if found is None or not protection.terms.guard:
            return found
        return msgspec.structs.replace(found, guard=await self._guard(protection))

    async def create_vault(self, protection: Protection, redundancy: Redundancy) -> str:
        """Ask for the vault with everything that can't be changed or should not be weaker; the operation, if any."""
        vault, accepted = self._requirements(protection), AnswerSeen()
        body = self._new(protection, vault, redundancy)
        with translated(f"creating {vault.label}"):
            await self._put(protection, body, accepted)
        return accepted.operation

    async def creation(self, protection: Protection, operation: str) -> FoundOperation | None:
        """How the vault's creation (by its operation) stands; None if Azure doesn't know it (any more)."""
        reading = self._read_creation(protection, operation)
        label = f"the creation of {self._requirements(protection).label}"
        return await read(label, reading, lambda found: operation_found(found.status, found.error))

    async def harden_vault(self, protection: Protection, better: FoundVault) -> None:
        """Ask for the security settings of this better vault."""
        vault = self._requirements(protection)
        with translated(f"hardening {vault.label}"):
            await self._vaults(protection).begin_update(
                protection.group, vault.name, self._hardened(better), polling=False
            )

    async def delete_vault(self, protection: Protection) -> None:
        """Ask for the vault's deletion, which Azure refuses while something is in it."""
        vault = self._requirements(protection)
        with translated(f"deleting {vault.label}"):
            try:
                await self._vaults(protection).begin_delete(protection.group, vault.name, polling=False)
            except HttpResponseError as error:
                if error.status_code != HTTPStatus.OK:  # which the SDK takes of Backup vaults alone
                    raise

    async def attach_guard(self, protection: Protection) -> None:
        """Let the Resource Guard of the policy document watch over the vault."""
        with translated(f"assigning the Resource Guard of {self._requirements(protection).label}"):
            await self._write_guard(protection)

    async def ensure_policy(self, protection: Protection, name: str, policy: Any) -> Found:
        """A backup policy of the vault, written once, in the SDK's words."""
        label = f"policy {name} of {self._requirements(protection).label}"
        written = Found(state="Succeeded")
        if await read(label, self._read_policy(protection, name), lambda _: written) is None:
            with translated(f"creating {label}"):
                await self._write_policy(protection, name, policy)
        return written

    async def operation(self, protection: Protection, operation: str, what: str) -> FoundOperation:
        """How an operation (by its id) stands; `what` names it in errors."""
        with translated(f"following {what}"):
            found = await self._read_operation(protection, operation)
            return operation_found(found.status, found.error)

    @abstractmethod
    async def items(self, protection: Protection) -> list[FoundItem]:
        """All that the vault protects, and what is deleted and can still be brought back."""

    async def delete_item(self, protection: Protection, item: FoundItem) -> None:
        """Ask for the deletion of the item's backups, which the vault keeps soft-deleted."""
        with translated(f"deleting the backups of {item.name}"):
            await self._delete_item(protection, item)

    async def _guard(self, protection: Protection) -> str:
        """The guard (resource id) that watches over the vault, empty if there is none."""
        label = f"the Resource Guard of {self._requirements(protection).label}"
        return await read(label, self._read_guard(protection), _guard_of) or ""

    def _requirements(self, protection: Protection) -> VaultRequirements:
        return protection.requirements(self.service)

    async def _put(self, protection: Protection, body: Any, accepted: AnswerSeen) -> None:
        name = self._requirements(protection).name
        await self._vaults(protection).begin_create_or_update(
            protection.group, name, body, polling=False, raw_response_hook=accepted
        )

    @abstractmethod
    def _vaults(self, protection: Protection) -> Any:
        """The SDK's operations on vaults, which both services name alike."""

    @abstractmethod
    def _new(self, protection: Protection, vault: VaultRequirements, redundancy: Redundancy) -> Any:
        """The vault as its service's SDK has it."""

    @abstractmethod
    def _hardened(self, better: FoundVault) -> Any:
        """The change that gives a vault the security settings of this better one."""

    @abstractmethod
    def _found(self, found: Any) -> FoundVault: ...

    @abstractmethod
    async def _read_guard(self, protection: Protection) -> Any: ...

    @abstractmethod
    async def _write_guard(self, protection: Protection) -> None: ...

    @abstractmethod
    async def _read_policy(self, protection: Protection, name: str) -> Any: ...

    @abstractmethod
    async def _write_policy(self, protection: Protection, name: str, policy: Any) -> None: ...

    @abstractmethod
    async def _read_creation(self, protection: Protection, operation: str) -> Any: ...

    @abstractmethod
    async def _read_operation(self, protection: Protection, operation: str) -> Any: ...

    @abstractmethod
    async def _delete_item(self, protection: Protection, item: FoundItem) -> None: ...


def _guard_of(proxy: Any) -> str:
    return properties_of(proxy).resource_guard_resource_id or ""


def word(known: Iterable[str], reported: str) -> str:
    """The one of the known words that is reported in whatever case; what isn't known stays as it is."""
    return next((one for one in known if same(one, reported)), reported)


def operation_found(state: str | None, error: BackupFault | None) -> FoundOperation:
    """An operation as a service tells of it."""
    return FoundOperation(
        state=plain(state), code=(error and error.code) or "", message=shown((error and error.message) or "")
    )
