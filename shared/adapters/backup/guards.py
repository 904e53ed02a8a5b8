"""Resource Guards: the proxies by which vaults of both kinds are tied to one.

A guard belongs to somebody else, and Meshward only ties vaults to it; what it guards takes their consent.
"""

from typing import Any

from shared.adapters.azure.common import Management, translated, unless_absent
from shared.domain.vaults.protection import Protection

_BACKUP, _RECOVERY = "DppResourceGuardProxy", "VaultProxy"  # the names that the portal and Azure's CLI use


class Guards(Management):
    """The guard of a cluster's Backup vault, and of its Recovery Services vault (`recovery`)."""

    async def guard(self, wanted: Protection, *, recovery: bool) -> str:
        """The guard (resource id) that watches over the vault, empty if there is none."""
        with translated(f"reading the Resource Guard of {_what(wanted, recovery)}"):
            found: Any = await unless_absent(self._get(wanted, recovery))
        return (found and found.properties and found.properties.resource_guard_resource_id) or ""

    async def tie(self, wanted: Protection, *, recovery: bool) -> None:
        """Let the guard of the policy document watch over the vault."""
        with translated(f"assigning the Resource Guard of {_what(wanted, recovery)}"):
            await self._put(wanted, recovery)

    def _get(self, wanted: Protection, recovery: bool) -> Any:
        if recovery:
            return self._recovery(wanted).get(
                vault_name=wanted.recovery_vault,
                resource_group_name=wanted.group,
                resource_guard_proxy_name=_RECOVERY,
            )
        return self._backup(wanted).get(wanted.group, wanted.vault, _BACKUP)

    def _put(self, wanted: Protection, recovery: bool) -> Any:
        from azure.mgmt.dataprotection import models as backup
        from azure.mgmt.recoveryservicesbackup import models

        guard = wanted.terms.guard
        if recovery:
            properties = models.ResourceGuardProxyBase(resource_guard_resource_id=guard)
            return self._recovery(wanted).put(
                vault_name=wanted.recovery_vault,
                resource_group_name=wanted.group,
                resource_guard_proxy_name=_RECOVERY,
                parameters=models.ResourceGuardProxyBaseResource(properties=properties),
            )
        tie = backup.ResourceGuardProxyBase(resource_guard_resource_id=guard)
        return self._backup(wanted).create_or_update(
            wanted.group, wanted.vault, _BACKUP, backup.ResourceGuardProxyBaseResource(properties=tie)
        )

    def _backup(self, wanted: Protection) -> Any:
        from azure.mgmt.dataprotection.aio import DataProtectionMgmtClient

        return self.client(DataProtectionMgmtClient, wanted.subscription).dpp_resource_guard_proxy

    def _recovery(self, wanted: Protection) -> Any:
        from azure.mgmt.recoveryservicesbackup.aio import RecoveryServicesBackupClient

        return self.client(RecoveryServicesBackupClient, wanted.subscription).resource_guard_proxy


def _what(wanted: Protection, recovery: bool) -> str:
    return wanted.recovery_bar.what if recovery else wanted.bar.what
