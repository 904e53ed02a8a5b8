"""What both kinds of vault share: Backup vaults (Microsoft.DataProtection) and Recovery Services vaults."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from local.cloud.arm import Arm, Resource
from local.cloud.wire import Reply

# How Azure rates a vault, by soft delete and immutability (seen in recorded traffic); else none and poor.
_SCORES = {
    ("on", "unlocked"): ("Minimum", "Fair"),
    ("on", "locked"): ("Adequate", "Good"),
    ("alwayson", "disabled"): ("Adequate", "Good"),
    ("alwayson", "unlocked"): ("Adequate", "Good"),
    ("alwayson", "locked"): ("Adequate", "Good"),
}

type CriticalCheck = Callable[[str], Reply | None]  # refuses critical operations on a vault, by its resource id


class WarningDetail(NamedTuple):
    """A warning of a job: code and text, and the resource that it is about."""

    code: str
    message: str
    resource: str | None = None


@dataclass(frozen=True, kw_only=True)
class JobOutcome[Item]:
    """How a job ends: its final status after `seconds` (None: never), and what becomes of each restored item.

    `restored` gives the item that is really written, or None when the restore leaves it out. With `warnings`, a job
    that would be Completed is CompletedWithWarnings; Recovery Services vaults have none.
    """

    status: str = "Completed"
    seconds: float | None = 214.0
    restored: Callable[[Item], Item | None] = lambda item: item
    warnings: tuple[WarningDetail, ...] = ()


def vault_of(id: str) -> str:
    """The vault's id of any id below it."""
    return "/".join(id.split("/")[:9])


def identity_of(arm: Arm, id: str, sent: dict[str, Any], old: Resource | None) -> dict[str, Any]:
    """The field `identity` of a vault that is written; empty without one. A vault keeps the identity that it has."""
    if "SystemAssigned" not in ((sent.get("identity") or {}).get("type") or ""):
        return {}
    return {"identity": (old or {}).get("identity") or arm.system_identity(id.rpartition("/")[2])}


def principal_of(vault: Resource) -> str:
    """The principal of a vault's identity, empty for a vault that has none."""
    return str((vault.get("identity") or {}).get("principalId") or "")


def immutability_of(security: dict[str, Any]) -> str:
    """The state of immutability in a vault's securitySettings, which needn't name it."""
    return str((security.get("immutabilitySettings") or {}).get("state") or "Disabled")


def rating(soft_delete: str, immutability: str) -> dict[str, str]:
    """How Azure rates a vault with soft delete Off, On or AlwaysOn: secureScore and bcdrSecurityLevel."""
    score, level = _SCORES.get((soft_delete.lower(), immutability.lower()), ("None", "Poor"))
    return {"secureScore": score, "bcdrSecurityLevel": level}
