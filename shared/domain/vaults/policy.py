"""How clusters are protected: the knobs of their vaults, backups and releases."""

from datetime import timedelta
from typing import Annotated, Literal

import msgspec

from shared.domain.resource_id import parsed

type Redundancy = Literal["LocallyRedundant", "ZoneRedundant", "GeoRedundant"]
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_EVERY = [_HOUR * n for n in (4, 6, 8, 12, 24)]  # what a policy for AKS offers (Azure Backup docs)
_GUARDS = "Microsoft.DataProtection/resourceGuards"
_SUBNETS, _ZONES = "Microsoft.Network/virtualNetworks/subnets", "Microsoft.Network/privateDnsZones"


class ProtectPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The knobs of a cluster's protection.

    Every cluster of the `subscriptions` is protected unless its tag says no. Where a region doesn't offer `redundancy`,
    `redundancy_fallback` will do. Immutability is Unlocked; for vaults named in `lock` it is locked, for ever. Without
    `public_network`, what Azure lets one close to public networks is closed. `guard` is the Resource Guard (resource
    id) that watches over vaults. With a `subnet` (resource id) the backups' storage account is reached by a private
    endpoint in it alone, whose record stands in `dns_zone` (resource id), if that is given. A vault outlives its
    cluster by `release_after`.
    """

    subscriptions: tuple[str, ...] = ()
    redundancy: Redundancy = "GeoRedundant"
    redundancy_fallback: Redundancy | None = None
    soft_delete: Literal["On", "AlwaysOn"] = "On"
    soft_delete_days: Annotated[int, msgspec.Meta(ge=14, le=180)] = 14
    lock: tuple[str, ...] = ()
    public_network: bool = True
    guard: str = ""
    subnet: str = ""
    dns_zone: str = ""
    backup_every: timedelta = _DAY
    keep: timedelta = timedelta(days=7)
    release_after: timedelta = timedelta(days=30)

    def __post_init__(self) -> None:
        if self.backup_every not in _EVERY:
            raise ValueError("backup_every: AKS is backed up every 4, 6, 8, 12 or 24 hours")
        if not _DAY <= self.keep <= _DAY * 360 or self.keep % _DAY:
            raise ValueError("keep: backups are kept for whole days, 1 to 360")
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
