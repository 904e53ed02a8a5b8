"""Who may call: what a token must say before anything is done for its holder. Default deny."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from shared.domain.errors import MeshwardError, PermanentError
from shared.domain.reasons import CallerReason

_CLOCK_SKEW_SECONDS = 60.0  # clocks of callers and of Entra differ a little


class Unauthenticated(PermanentError):
    """The call carries no token that proves who calls; it is answered with 401."""

    def __init__(self, reason: CallerReason, message: str) -> None:
        MeshwardError.__init__(self, reason, message)


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who a valid token says is calling: the Entra object id, and whether it is an app or a user."""

    object_id: str
    kind: str


def admit(claims: Mapping[str, object], *, issuer: str, audience: str, now: datetime) -> Caller:
    """The caller of a token whose signature holds; raises Unauthenticated that says which claim is wrong."""
    if claims.get("iss") != issuer:
        raise Unauthenticated("WrongIssuer", f"the token's issuer isn't {issuer}")
    if claims.get("aud") != audience:
        raise Unauthenticated("WrongAudience", f"the token isn't for {audience}")
    _require_in_time(claims, now.timestamp())
    object_id = claims.get("oid")
    if not isinstance(object_id, str) or not object_id:
        raise Unauthenticated("NoObjectId", "the token has no oid claim")
    return Caller(object_id=object_id, kind="app" if claims.get("idtyp") == "app" else "user")


def _require_in_time(claims: Mapping[str, object], now: float) -> None:
    starts, ends = claims.get("nbf"), claims.get("exp")
    if not isinstance(starts, int) or not isinstance(ends, int):
        raise Unauthenticated("NoLifetime", "the token has no nbf and exp claims")
    if now < starts - _CLOCK_SKEW_SECONDS:
        raise Unauthenticated("NotYetValid", "the token isn't valid yet")
    if now >= ends + _CLOCK_SKEW_SECONDS:
        raise Unauthenticated("Expired", "the token has expired; get a new one")
