"""When the immutability of a Recovery Services vault can be set, as users of the real one report it.

Rules:
- A vault is locked only once it is Unlocked: neither a new one nor one that is Disabled.
- Since API 2026-05-01, what turns it on says how long it lasts: as the backup policies say, or for a time.
"""

from typing import Any, NamedTuple

SAYS_HOW_LONG = "2026-05-01"


class Refused(NamedTuple):
    """The code and the message of a refusal."""

    code: str
    message: str


def refused(before: str, sent: dict[str, Any], api_version: str) -> Refused | None:
    """Why immutabilitySettings that are `sent` to a vault are refused; `before` is the vault's state."""
    state = str(sent.get("state") or "").lower()
    if before.lower() == "locked" and state not in ("", "locked"):
        return Refused("UserErrorImmutabilityLocked", "The vault's immutability is locked.")
    if before.lower() == "disabled" and state == "locked":
        text = "The vault's immutability can't be locked before it is unlocked."
        return Refused("UserErrorUnsupportedVaultImmutabilityStateChange", text)
    if state in ("unlocked", "locked") and api_version >= SAYS_HOW_LONG and not sent.get("configuration"):
        text = "The immutability configuration is required."
        return Refused("UserErrorImmutabilityConfigurationRequired", text)  # the code is from memory
    return None
