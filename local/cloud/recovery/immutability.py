"""When the immutability of a Recovery Services vault can be set, as users of the real one report it.

Rules:
- A vault is locked only once it is Unlocked: neither a new one nor one that is Disabled.
- Since API 2026-05-01, what turns it on says how long it lasts: as the backup policies say, or for a time.
"""

from typing import Any

SAYS_HOW_LONG = "2026-05-01"


def refused(before: str, sent: dict[str, Any], api_version: str) -> tuple[str, str] | None:
    """The code and message of a refusal of immutabilitySettings; `before` is the state of the vault."""
    state = str(sent.get("state") or "").lower()
    if before.lower() == "locked" and state not in ("", "locked"):
        return ("UserErrorImmutabilityLocked", "The vault's immutability is locked.")
    if before.lower() == "disabled" and state == "locked":
        text = "The vault's immutability can't be locked before it is unlocked."
        return ("UserErrorUnsupportedVaultImmutabilityStateChange", text)
    if state in ("unlocked", "locked") and api_version >= SAYS_HOW_LONG and not sent.get("configuration"):
        text = "The immutability configuration is required."
        return ("UserErrorImmutabilityConfigurationRequired", text)  # the code is from memory
    return None
