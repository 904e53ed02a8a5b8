"""One of many of which nobody expected what it did."""

import logging

import pytest

from functions.engine.logs import log
from functions.engine.many import one_of_many
from shared.domain.errors import PermanentError, TemporaryError
from shared.domain.signals import EventDeclined, Unexpected

SECRET = "s" * 5_000


def test_what_nobody_expected_is_a_refusal_by_name_that_repeats_little(caplog: pytest.LogCaptureFixture) -> None:
    with (
        pytest.raises(PermanentError) as refused,
        caplog.at_level(logging.WARNING, "meshward"),
        one_of_many("aks-east"),
    ):
        raise KeyError(SECRET)
    assert refused.value.reason == "StepBroken"
    assert refused.value.message.startswith("aks-east broke: KeyError: ")
    assert len(refused.value.message) < 300
    (record,) = caplog.records
    assert (record.message, record.what) == (Unexpected.message(), "aks-east")  # type: ignore[attr-defined]
    assert record.at[-1].startswith("test_many.py:")  # type: ignore[attr-defined]
    assert SECRET not in str(vars(record))


def test_what_is_expected_stays_what_it_is() -> None:
    with pytest.raises(TemporaryError, match="Unreachable"), one_of_many("aks-east"):
        raise TemporaryError("Unreachable", "no")


def test_no_field_of_the_log_breaks_a_line_or_is_long(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "meshward"):
        log(EventDeclined(event_id="x\nERROR forged\x1b[2J", reason="MalformedEvent", error="e" * 3_000_000))
    (record,) = caplog.records
    assert record.event_id == "x�ERROR forged�[2J"  # type: ignore[attr-defined]
    assert len(record.error) == 2_000  # type: ignore[attr-defined]
