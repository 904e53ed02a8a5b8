"""How clusters are protected: the knobs of their vaults, backups and releases."""

from datetime import timedelta
from typing import Annotated, Literal

from msgspec import Meta

from shared.domain.knobs import Section
from shared.domain.resource_id import parsed

type Redundancy = Literal["LocallyRedundant", "ZoneRedundant", "GeoRedundant"]
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_EVERY = [_HOUR * n for n in (4, 6, 8, 12, 24)]  # what a policy for AKS offers (Azure Backup docs)
_GUARDS = "Microsoft.DataProtection/resourceGuards"
_SUBNETS, _ZONES = "Microsoft.Network/virtualNetworks/subnets", "Microsoft.Network/privateDnsZones"


class ProtectPolicy(Section, frozen=True, kw_only=True):
    """The knobs of a cluster's protection."""

    subscriptions: tuple[str, ...] = ()
    """Subscriptions (ids) in which every cluster is protected, unless its tag `meshward:protect` is `false`."""
    redundancy: Redundancy = "GeoRedundant"
    """Redundancy of the vault's storage. Azure can't change it after the vault was created."""
    redundancy_fallback: Redundancy | None = None
    """Redundancy for regions that don't offer `redundancy`. Without it, the protection is refused there. The result of
    the flow says which one was used."""
    soft_delete: Literal["On", "AlwaysOn"] = "On"
    """`On` can be switched off later, `AlwaysOn` can't be undone."""
    soft_delete_days: Annotated[int, Meta(ge=14, le=180, extra={"unit": "days"})] = 14
    """How long deleted backups can be restored."""
    lock: tuple[str, ...] = ()
    """Names of vaults whose immutability is locked. **This can't be undone**, so each vault must be named. All other
    vaults are `Unlocked`."""
    public_network: bool = True
    """`false` closes the Recovery Services vault to public networks. Backup vaults have no such setting."""
    guard: str = ""
    """The Resource Guard (resource id) for both kinds of vault. Whatever weakens a guarded vault then needs the consent
    of the guard's owners, which Meshward doesn't have. So the release of a guarded vault fails with a reason; delete
    its backups with that consent, and the release continues. The provisioner must be able to read the guard."""
    subnet: str = ""
    """A subnet (resource id) in the cluster's region that the cluster can reach. The storage account of the backups
    gets a private endpoint there and is closed to public networks. Trusted services of Azure, such as Azure Backup,
    keep their access."""
    dns_zone: str = ""
    """The private DNS zone (resource id) `privatelink.blob.core.windows.net` for the record of the private endpoint.
    Leave it out if an Azure Policy writes the record."""
    backup_every: timedelta = _DAY
    """The time between two backups: 4, 6, 8, 12 or 24 hours."""
    keep: Annotated[timedelta, Meta(extra={"at_least": _DAY, "at_most": _DAY * 360})] = timedelta(days=7)
    """How long a backup is kept, in whole days."""
    release_after: timedelta = timedelta(days=30)
    """How long a vault is kept after its cluster was deleted. Not less than `keep`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.backup_every not in _EVERY:
            raise ValueError("backup_every: AKS is backed up every 4, 6, 8, 12 or 24 hours")
        if self.keep % _DAY:
            raise ValueError("keep: backups are kept for whole days")
        if self.guard and not _is(_GUARDS, self.guard):
            raise ValueError("guard: not the resource id of a Resource Guard")
        if self.subnet and not _is(_SUBNETS, self.subnet):
            raise ValueError("subnet: not the resource id of a subnet")
        if self.dns_zone and not (self.subnet and _is(_ZONES, self.dns_zone)):
            raise ValueError("dns_zone: not the resource id of a private DNS zone, or without a subnet")
        if self.release_after < self.keep:
            raise ValueError("release_after: shorter than `keep`, for which backups were promised")

    @property
    def backup_policy(self) -> str:
        """The name of the vault's backup policy, which says what is in it: what is in a policy can't be changed."""
        return f"every-{self.backup_every // _HOUR}h-keep-{self.keep // _DAY}d"


def _is(type: str, text: str) -> bool:
    id = parsed(text)
    return id is not None and id.of_type(type)
