"""Resource Manager's limits: a token bucket for each subscription, caller and kind of operation (Azure docs, 2026)."""

from dataclasses import dataclass
from math import ceil

from local.cloud.wire import CloudRequest

_LIMITS = {"reads": (250, 25.0), "writes": (200, 10.0), "deletes": (200, 10.0)}  # bucket, refilled per second
_KINDS = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}


@dataclass
class _Bucket:
    tokens: float
    filled: float


class Throttle:
    """Counts calls; `throttled` is how many were refused."""

    def __init__(self) -> None:
        self.throttled = 0
        self._buckets: dict[tuple[str, str, str], _Bucket] = {}

    def refuse(self, call: CloudRequest, caller: str, now: float) -> int | None:
        """Take a token for the call, or say after how many seconds there is one again."""
        subscription, kind = call.params.get("subscription", "").lower(), _KINDS.get(call.method, "writes")
        size, rate = _LIMITS[kind]
        bucket = self._buckets.setdefault((subscription, caller, kind), _Bucket(size, now))
        bucket.tokens, bucket.filled = min(size, bucket.tokens + (now - bucket.filled) * rate), now
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            return None
        self.throttled += 1
        return max(1, ceil((1 - bucket.tokens) / rate))
