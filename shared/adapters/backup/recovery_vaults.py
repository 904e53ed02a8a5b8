"""Recovery Services vaults as protections need them: the vault itself and its policies.

A PUT is sent once and not followed: its outcome is what a later GET shows. Settings are told in the words of Backup
vaults, so that both kinds of vault are held to the same bar.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shared.adapters.azure.common import Management, plain, translated, unless_absent
from shared.domain.vaults.findings import Found, FoundVault
from shared.domain.vaults.policy import ProtectPolicy, Redundancy
from shared.domain.vaults.protection import Protection
from shared.domain.vaults.volumes import source_policy

if TYPE_CHECKING:
    from azure.mgmt.recoveryservices.aio.operations import VaultsOperations
    from azure.mgmt.recoveryservices.models import SecuritySettings, Vault
    from azure.mgmt.recoveryservicesbackup.aio.operations import ProtectionPoliciesOperations
    from azure.mgmt.recoveryservicesbackup.models import (
        AzureFileShareProtectionPolicy,
        AzureIaaSVMProtectionPolicy,
        HourlySchedule,
        LongTermRetentionPolicy,
    )

_SOFT_DELETE = {"Disabled": "Off", "Enabled": "On", "AlwaysON": "AlwaysOn"}
_OURS_TO_THEIRS = {ours: theirs for theirs, ours in _SOFT_DELETE.items()}
_START = "2024-01-01T02:00:00Z"


class RecoveryVaults(Management):
    """Reads give None for what isn't there."""

    async def vault(self, wanted: Protection) -> FoundVault | None:
        """The cluster's Recovery Services vault."""
        with translated(f"reading {wanted.recovery_bar.what}"):
            found = await unless_absent(self._vaults(wanted).get(wanted.group, wanted.recovery_vault))
        return _vault(found) if found else None

    async def create_vault(self, wanted: Protection, redundancy: Redundancy) -> None:
        """Ask for the vault with everything that can't be changed or should not be weaker."""
        from azure.mgmt.recoveryservices import models

        terms, storage = wanted.terms, models.VaultPropertiesRedundancySettings
        body = models.Vault(
            location=wanted.location,
            tags=self.tagged(wanted.tags),
            sku=models.Sku(name="RS0", tier="Standard"),
            identity=models.IdentityData(type="SystemAssigned"),
            properties=models.VaultProperties(
                redundancy_settings=storage(
                    standard_tier_storage_redundancy=redundancy, cross_region_restore="Disabled"
                ),
                security_settings=_security(
                    terms.soft_delete, terms.soft_delete_days, wanted.recovery_bar.immutability
                ),
                public_network_access=_public(terms.public_network),
            ),
        )
        with translated(f"creating {wanted.recovery_bar.what}"):
            await self._vaults(wanted).begin_create_or_update(wanted.group, wanted.recovery_vault, body, polling=False)

    async def harden_vault(self, wanted: Protection, better: FoundVault) -> None:
        """Ask for the security settings of this better vault."""
        from azure.mgmt.recoveryservices import models

        security = _security(better.soft_delete, better.soft_delete_days, better.immutability)
        properties = models.VaultProperties(security_settings=security, public_network_access=_public(better.public))
        with translated(f"hardening {wanted.recovery_bar.what}"):
            await self._vaults(wanted).begin_update(
                wanted.group, wanted.recovery_vault, models.PatchVault(properties=properties), polling=False
            )

    async def delete_vault(self, wanted: Protection) -> None:
        """Ask for the vault's deletion, which Azure refuses while something is in it."""
        with translated(f"deleting {wanted.recovery_bar.what}"):
            await self._vaults(wanted).begin_delete(wanted.group, wanted.recovery_vault, polling=False)

    async def policy(self, wanted: Protection, kind: str) -> Found | None:
        """The vault's backup policy for shares or machines."""
        name = source_policy(kind, wanted.terms)
        with translated(f"reading policy {name} of {wanted.recovery_bar.what}"):
            found = await unless_absent(
                self._policies(wanted).get(
                    vault_name=wanted.recovery_vault, resource_group_name=wanted.group, policy_name=name
                )
            )
        return Found(state="Succeeded") if found else None

    async def create_policy(self, wanted: Protection, kind: str) -> Found:
        """Make the policy; backups of shares are snapshots beside them, those of machines go to the vault."""
        from azure.mgmt.recoveryservicesbackup.models import ProtectionPolicyResource

        name = source_policy(kind, wanted.terms)
        policy = _of_shares(wanted.terms) if kind == "share" else _of_machines(wanted.terms)
        with translated(f"creating policy {name} of {wanted.recovery_bar.what}"):
            await self._policies(wanted).create_or_update(
                vault_name=wanted.recovery_vault,
                resource_group_name=wanted.group,
                policy_name=name,
                parameters=ProtectionPolicyResource(properties=policy),
            )
        return Found(state="Succeeded")

    def _vaults(self, wanted: Protection) -> "VaultsOperations":
        from azure.mgmt.recoveryservices.aio import RecoveryServicesClient

        return self.client(RecoveryServicesClient, wanted.subscription).vaults

    def _policies(self, wanted: Protection) -> "ProtectionPoliciesOperations":
        from azure.mgmt.recoveryservicesbackup.aio import RecoveryServicesBackupClient

        return self.client(RecoveryServicesBackupClient, wanted.subscription).protection_policies


def _vault(found: "Vault") -> FoundVault:
    held: Any = found.properties
    security = held.security_settings
    soft_delete = security.soft_delete_settings if security else None
    immutability = security.immutability_settings if security else None
    redundancy = held.redundancy_settings
    return FoundVault(
        state=plain(held.provisioning_state),
        principal=(found.identity and found.identity.principal_id) or "",
        soft_delete=_SOFT_DELETE.get(plain(soft_delete and soft_delete.soft_delete_state), ""),
        soft_delete_days=(soft_delete and soft_delete.soft_delete_retention_period_in_days) or 0,
        immutability=plain(immutability and immutability.state),
        redundancy=plain(redundancy and redundancy.standard_tier_storage_redundancy),
        public=plain(held.public_network_access) != "Disabled",
    )


def _public(allowed: bool) -> str:
    return "Enabled" if allowed else "Disabled"


def _security(soft_delete: str, days: float, immutability: str) -> "SecuritySettings":
    from azure.mgmt.recoveryservices import models

    return models.SecuritySettings(
        soft_delete_settings=models.SoftDeleteSettings(
            soft_delete_state=_OURS_TO_THEIRS[soft_delete], soft_delete_retention_period_in_days=int(days)
        ),
        immutability_settings=models.ImmutabilitySettings(state=immutability),
    )


def _of_shares(terms: ProtectPolicy) -> "AzureFileShareProtectionPolicy":
    from azure.mgmt.recoveryservicesbackup import models

    hours = terms.backup_every // timedelta(hours=1)
    start: Any = _START
    schedule = models.SimpleSchedulePolicy(schedule_run_frequency="Daily", schedule_run_times=[start])
    if hours < 24:
        schedule = models.SimpleSchedulePolicy(schedule_run_frequency="Hourly", hourly_schedule=_window(hours))
    return models.AzureFileShareProtectionPolicy(
        work_load_type="AzureFileShare", schedule_policy=schedule, retention_policy=_kept(terms), time_zone="UTC"
    )


def _of_machines(terms: ProtectPolicy) -> "AzureIaaSVMProtectionPolicy":
    """An enhanced policy, which alone offers several backups a day."""
    from azure.mgmt.recoveryservicesbackup import models

    hours = terms.backup_every // timedelta(hours=1)
    daily = models.DailySchedule(schedule_run_times=[_START])  # type: ignore[list-item]
    schedule = models.SimpleSchedulePolicyV2(schedule_run_frequency="Daily", daily_schedule=daily)
    if hours < 24:
        schedule = models.SimpleSchedulePolicyV2(schedule_run_frequency="Hourly", hourly_schedule=_window(hours))
    return models.AzureIaaSVMProtectionPolicy(
        policy_type="V2", schedule_policy=schedule, retention_policy=_kept(terms), time_zone="UTC"
    )


def _window(hours: int) -> "HourlySchedule":
    """Every few hours, in a window that ends when the next day's begins."""
    from azure.mgmt.recoveryservicesbackup.models import HourlySchedule

    start: Any = _START
    return HourlySchedule(interval=hours, schedule_window_start_time=start, schedule_window_duration=24 - hours)


def _kept(terms: ProtectPolicy) -> "LongTermRetentionPolicy":
    from azure.mgmt.recoveryservicesbackup import models

    stay = models.DailyRetentionSchedule(
        retention_times=[_START],  # type: ignore[list-item]  # written as the service writes it
        retention_duration=models.RetentionDuration(count=terms.keep.days, duration_type="Days"),
    )
    return models.LongTermRetentionPolicy(daily_schedule=stay)
