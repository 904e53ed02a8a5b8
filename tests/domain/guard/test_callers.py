from datetime import UTC, datetime
from typing import Any

import pytest

from shared.domain.guard.callers import Caller, Unauthenticated, admit

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
ISSUER = "https://login.microsoftonline.com/t/v2.0"
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": "api://meshward",
    "nbf": int(NOW.timestamp()) - 10,
    "exp": int(NOW.timestamp()) + 3600,
    "oid": "o1",
    "idtyp": "app",
}


def judged(**claims: Any) -> Caller:
    return admit({**CLAIMS, **claims}, issuer=ISSUER, audience="api://meshward", now=NOW)


def test_a_token_with_the_right_claims_admits_its_holder() -> None:
    assert judged() == Caller(object_id="o1", kind="app")


def test_a_token_that_does_not_say_app_is_a_users() -> None:
    assert judged(idtyp=None).kind == "user"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": ISSUER.replace("/t/", "/other/")}, "WrongIssuer"),
        ({"iss": None}, "WrongIssuer"),
        ({"aud": "api://other"}, "WrongAudience"),
        ({"aud": ["api://meshward"]}, "WrongAudience"),
        ({"exp": int(NOW.timestamp()) - 61}, "Expired"),
        ({"nbf": int(NOW.timestamp()) + 61}, "NotYetValid"),
        ({"exp": None}, "NoLifetime"),
        ({"nbf": "0"}, "NoLifetime"),
        ({"oid": ""}, "NoObjectId"),
    ],
)
def test_each_wrong_claim_is_refused_with_its_reason(claims: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unauthenticated) as refusal:
        judged(**claims)
    assert refusal.value.reason == reason


@pytest.mark.parametrize("off", [-59, 0])
def test_a_minute_of_clock_skew_is_forgiven(off: int) -> None:
    assert judged(exp=int(NOW.timestamp()) + off).object_id == "o1"
