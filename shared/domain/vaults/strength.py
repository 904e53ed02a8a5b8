"""Whether a vault is as strong as required.

Rules:
- What is found weaker than required is never accepted and never loosened; stronger will do. Security settings of the
  vault are corrected; what can't be changed any more ends the flow.
- A setting in a word that isn't known is neither weaker nor stronger: nothing is written, and the flow ends.
"""

import msgspec

from shared.domain.errors import PermanentError, shown
from shared.domain.resource_id import same
from shared.domain.vaults.findings import FoundVault, require_settled
from shared.domain.vaults.protection import VaultRequirements

SOFT_DELETE = ("Off", "On", "AlwaysOn")
IMMUTABILITY = ("Disabled", "Unlocked", "Locked")
REDUNDANCY = ("LocallyRedundant", "ZoneRedundant", "GeoRedundant")


def require_strong(requirements: VaultRequirements, found: FoundVault | None) -> FoundVault:
    """The vault, once it is there; raises PermanentError that names what is too weak and can't be changed, or is set in
    a word that isn't known.
    """
    vault = require_settled(requirements.label, found)
    if unknown := unknown_settings(requirements, vault):
        raise PermanentError(
            "SettingUnknown",
            f"{requirements.label}: {'; '.join(unknown)}; Meshward knows no such word and changes nothing",
        )
    weak = flaws(requirements, vault)
    if weak:
        raise PermanentError(
            "VaultTooWeak",
            f"{requirements.label}: {'; '.join(weak)}; this can't be changed: delete the vault and start again, "
            "or require less in the policy document",
        )
    return vault


def lacks_guard(requirements: VaultRequirements, guard: str) -> bool:
    """Whether the vault lacks its Resource Guard; raises PermanentError if another one watches over it."""
    if guard and requirements.terms.guard and not same(guard, requirements.terms.guard):
        raise PermanentError(
            "GuardedByAnother",
            f"{requirements.label} uses Resource Guard {guard}; remove it with the consent of that guard's owners",
        )
    return bool(requirements.terms.guard and not guard)


def names_redundancy(reason: str) -> bool:
    """Whether a vault was refused for its redundancy; the two kinds of vault say so in different words."""
    return "StorageType" in reason or "Redundancy" in reason


def unknown_settings(requirements: VaultRequirements, vault: FoundVault) -> list[str]:
    """What can't be compared with what is required, since nobody knows its word."""
    settings = (
        ("redundancy", vault.redundancy or "not told", REDUNDANCY),
        ("soft delete", vault.soft_delete, ("", *SOFT_DELETE)),
        ("immutability", vault.immutability, ("", *IMMUTABILITY)),  # which isn't told of a vault that never had it
    )
    found = [f"{setting} is {shown(word)}" for setting, word, known in settings if word not in known]
    if vault.public is None and not requirements.terms.public_network:
        found.append("its access from public networks is in a word that isn't known")
    return found


def flaws(requirements: VaultRequirements, vault: FoundVault) -> list[str]:
    """What is weaker than required and can't be changed any more."""
    terms = requirements.terms
    least = min(REDUNDANCY.index(r) for r in (terms.redundancy, terms.redundancy_fallback) if r)
    found = [] if vault.principal else ["it has no system-assigned identity"]
    if vault.redundancy in REDUNDANCY[:least]:
        found.append(f"redundancy is {vault.redundancy}, not {REDUNDANCY[least]}")
    return found


def weaknesses(requirements: VaultRequirements, vault: FoundVault) -> list[str]:
    """What is weaker than required and can be corrected at once, without a risk to what is in the vault."""
    better = at_least(requirements, vault)
    found = []
    if vault.soft_delete != better.soft_delete:
        found.append(f"soft delete is {vault.soft_delete or 'not set'}, not {better.soft_delete}")
    if vault.soft_delete_days < better.soft_delete_days:
        found.append(f"soft delete keeps {vault.soft_delete_days:.0f} days, not {better.soft_delete_days:.0f}")
    if vault.immutability != better.immutability:
        found.append(f"immutability is {vault.immutability or 'not set'}, not {better.immutability}")
    if vault.public != better.public:
        found.append("it is open to public networks")
    return found


def at_least(requirements: VaultRequirements, vault: FoundVault) -> FoundVault:
    """The vault with the security that is required, or with its own where that is stronger or unknown."""
    terms = requirements.terms
    return msgspec.structs.replace(
        vault,
        soft_delete=_stronger(SOFT_DELETE, terms.soft_delete, vault.soft_delete),
        soft_delete_days=max(terms.soft_delete_days, vault.soft_delete_days),
        immutability=_immutability(requirements, vault),
        public=vault.public and terms.public_network,
    )


def _immutability(requirements: VaultRequirements, vault: FoundVault) -> str:
    """What is required, or a step to it: Azure locks only what is immutable already."""
    required = _stronger(IMMUTABILITY, requirements.immutability, vault.immutability)
    return "Unlocked" if required == "Locked" and vault.immutability in ("", "Disabled") else required


def _stronger(order: tuple[str, ...], required: str, found: str) -> str:
    """What is required, or what is found where that is stronger, or a word that isn't known."""
    if not found or found in order[: order.index(required)]:
        return required
    return found
