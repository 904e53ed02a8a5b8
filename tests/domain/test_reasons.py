"""Reasons: only words of the list pass the type checker, each with the errors of its kind; others' codes are bounded.

mypy says so if one of these lines is fine by it: an ignored error that isn't there is one.
"""

from local.docs_reasons import KINDS
from shared.domain.errors import Conflict, InvalidEvent, NotConverged, PermanentError, Unreadable, service_code
from shared.domain.selftest import SelftestSettings, cluster_checks, event_check, installation_checks, key_check
from tests.worlds.facts.members import SUBSCRIPTION, cluster, fleet


def test_a_word_that_is_in_no_list_does_not_pass_the_type_checker() -> None:
    PermanentError("NoMesch", "misspelt")  # type: ignore[arg-type]


def test_a_reason_goes_with_the_errors_of_its_kind_alone() -> None:
    PermanentError("RollingOut", "what waits doesn't refuse")  # type: ignore[arg-type]
    NotConverged("NoMesh", "what refuses doesn't wait")  # type: ignore[arg-type]
    InvalidEvent("NoMesh", "a flow ends with this, no event is declined")  # type: ignore[arg-type]
    Unreadable("BadPolicy", "what people have written wrongly is no fault of the app")  # type: ignore[arg-type]
    Conflict("NotOurs", "an event is declined with this, no call is answered with 409")  # type: ignore[arg-type]


def test_a_text_from_outside_is_no_reason_until_it_is_bounded() -> None:
    heard = "UserError" * 100
    NotConverged(heard, "as it was heard")  # type: ignore[arg-type]
    error = NotConverged(service_code(heard), "bounded")
    assert len(error.reason) == 200
    assert service_code("Http409") == "Http409"
    assert service_code("Bad\x1b[2J") == "Bad\ufffd[2J"


def test_the_self_test_mends_by_reasons_that_there_are() -> None:
    app = SelftestSettings(
        rotator_client_id="r",
        provisioner_client_id="p",
        verifier_client_id="v",
        subscriptions=(SUBSCRIPTION,),
        key_vault_name="kv",
        event_topic_url="https://topic",
        store_url="az://store/x",
    )
    listed = fleet().allow_list
    checks = [*installation_checks(app), key_check(app, "root"), event_check(app), *cluster_checks(cluster(), listed)]
    repaired = {reason for check in checks for reason in check.repairs}
    assert len(repaired) > 5
    assert repaired <= frozenset().union(*KINDS.values())
