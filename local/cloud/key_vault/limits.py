"""How many expensive operations of a kind a vault does in ten seconds (Key Vault service limits)."""

from collections import deque

from local.cloud.clock import Clock
from local.cloud.key_vault.rules import throttled

_SECONDS = 10
_LIMITS = {
    "create EC": 20,
    "create EC-HSM": 10,
    "sign EC": 4000,
    "sign EC-HSM": 2000,
    "sign RSA": 4000,
    "sign RSA-HSM": 2000,
}


class Limits:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._calls: dict[str, deque[float]] = {kind: deque() for kind in _LIMITS}

    def take(self, kind: str) -> None:
        """Count one of this kind; raises KeyVaultError 429 if that is too many."""
        calls, now = self._calls[kind], self._clock.time()
        while calls and calls[0] <= now - _SECONDS:
            calls.popleft()
        if len(calls) >= _LIMITS[kind]:
            raise throttled()
        calls.append(now)
