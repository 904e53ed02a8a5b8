"""Resource Guards: the proxies by which vaults of both kinds are tied to one.

A guard belongs to somebody else, and Meshward only ties vaults to it; what it guards takes their consent.
"""

from typing import Any

from shared.adapters.azure.common import Management, translated, unless_absent
from shared.domain.vaults.protection import Protection

_BACKUP, _RECOVERY = "DppResourceGuardProxy", "VaultProxy"  # the names that the portal and Azure's CLI use


class Guards(Management):
    """The guard of a cluster's Backup vault, and of its Recovery Services vault (`recovery`)."""

    async def guard(self, protection: Protection, *, recovery: bool) -> str:
        """The guard (resource id) that watches over the vault, empty if there is none."""
        with translated(f"reading the Resource Guard of {_what(protection, recovery)}"):
            found: Any = await unless_absent(self._get(protection, recovery))
        return (found and found.properties and found.properties.resource_guard_resource_id) or ""

    async def tie(self, protection: Protection, *, recovery: bool) -> None:
        """Let the guard of the policy document watch over the vault."""
        with translated(f"tying {_what(protection, recovery)} to its Resource Guard"):
            await self._put(protection, recovery)

    def _get(self, protection: Protection, recovery: bool) -> Any:
        if recovery:
            return self._recovery(protection).get(
                vault_name=protection.recovery_vault,
                resource_group_name=protection.group,
                resource_guard_proxy_name=_RECOVERY,
            )
        return self._backup(protection).get(protection.group, protection.vault, _BACKUP)

    def _put(self, protection: Protection, recovery: bool) -> Any:
        from azure.mgmt.dataprotection import models as backup
        from azure.mgmt.recoveryservicesbackup import models

        guard = protection.terms.guard
        if recovery:
            properties = models.ResourceGuardProxyBase(resource_guard_resource_id=guard)
            return self._recovery(protection).put(
                vault_name=protection.recovery_vault,
                resource_group_name=protection.group,
                resource_guard_proxy_name=_RECOVERY,
                parameters=models.ResourceGuardProxyBaseResource(properties=properties),
            )
        tie = backup.ResourceGuardProxyBase(resource_guard_resource_id=guard)
        return self._backup(protection).create_or_update(
            protection.group, protection.vault, _BACKUP, backup.ResourceGuardProxyBaseResource(properties=tie)
        )

    def _backup(self, protection: Protection) -> Any:
        from azure.mgmt.dataprotection.aio import DataProtectionMgmtClient

        return self.client(DataProtectionMgmtClient, protection.subscription).dpp_resource_guard_proxy

    def _recovery(self, protection: Protection) -> Any:
        from azure.mgmt.recoveryservicesbackup.aio import RecoveryServicesBackupClient

        return self.client(RecoveryServicesBackupClient, protection.subscription).resource_guard_proxy


def _what(protection: Protection, recovery: bool) -> str:
    return protection.recovery_bar.what if recovery else protection.bar.what
