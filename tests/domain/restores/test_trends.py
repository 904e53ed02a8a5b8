"""How restores have fared over time, and the page that shows it."""

import xml.etree.ElementTree as ET
from datetime import timedelta

import msgspec

from shared.domain.restores.history import History, Trial, empty_history
from shared.domain.restores.items import ClusterItem
from shared.domain.restores.policy import VerifyPolicy
from shared.domain.restores.report import chart, report
from shared.domain.restores.trends import Trend, trend, trends
from tests.worlds.facts.plans import KNOBS
from tests.worlds.times import NOW

DAY, HOUR = timedelta(days=1), 3600.0
ITEM = ClusterItem(id="/vaults/v/backupInstances/i", source_id="/clusters/aks-<east>")


def trial(
    days_ago: float, *, rpo: float = 1, rto: float = 1, names: tuple[str, ...] = ("shop",), **facts: str
) -> Trial:
    reasons = (facts["reason"],) if "reason" in facts else ()
    return Trial(
        name=f"t{days_ago}",
        at=NOW - days_ago * DAY,
        verdict=facts.get("verdict", "Verified"),
        reasons=reasons,
        point="p",
        policy="",
        names=names,
        rpo_s=rpo * HOUR,
        rto_s=rto * HOUR,
    )


def history(*trials: Trial) -> History:
    return msgspec.structs.replace(empty_history(ITEM), trials=trials)


def shown(*trials: Trial, knobs: VerifyPolicy = KNOBS) -> Trend:
    return trend(history(*trials), knobs, NOW - 30 * DAY, NOW)


def test_an_item_that_is_verified_in_time_alarms_nobody() -> None:
    found = shown(trial(40), trial(3), trial(1))
    assert (found.alarms, found.coverage_percent, found.last_verified) == ((), 100, NOW - DAY)
    assert [t.name for t in found.trials] == ["t3", "t1"], "those of the time that was asked for"
    assert (found.thresholds.rpo_s, found.thresholds.rto_s) == (25 * HOUR, 4 * HOUR)


def test_the_newest_verdict_and_each_missed_target_alarm() -> None:
    failed = shown(trial(3), trial(1, verdict="Failed", reason="inventory: missing x"))
    assert failed.alarms == ("the newest verification is Failed: inventory: missing x",)
    late = shown(trial(1, rpo=26, rto=5))
    assert late.alarms == ("the recovery point objective was missed", "the recovery time objective was missed")
    assert shown(trial(1, rto=5), knobs=VerifyPolicy(rto=timedelta(hours=6))).alarms == ()


def test_coverage_counts_what_was_verified_in_time_and_names_what_wasn_t() -> None:
    found = shown(trial(9, names=("orders",)), trial(1, names=("shop",)))
    assert (found.coverage_percent, found.alarms) == (50, ("not verified for 7 days: orders",))


def test_items_that_alarm_come_first() -> None:
    good, bad = history(trial(1)), history(trial(1, verdict="Failed"))
    other = msgspec.structs.replace(good, source_id="/clusters/a")
    found = trends([(good, KNOBS), (bad, KNOBS), (other, KNOBS)], NOW - DAY, NOW)
    assert [(bool(t.alarms), t.source) for t in found.items] == [
        (True, ITEM.source_id),
        (False, "/clusters/a"),
        (False, ITEM.source_id),
    ]


def test_a_chart_has_a_dot_for_each_trial_and_its_target_between_them() -> None:
    drawn = ET.fromstring(chart(shown(trial(2, rpo=1), trial(1, rpo=50)), "RPO", 25 * HOUR, lambda t: t.rpo_s))
    low, high = [float(dot.attrib["cy"]) for dot in drawn.iter("circle")]
    target = float(next(drawn.iter("line")).attrib["y1"])
    assert high < target < low, "up is more"


def test_the_report_names_every_item_and_escapes_what_isn_t_its_own() -> None:
    page = report(trends([(history(trial(1, verdict="Failed", reason="<b>")), KNOBS)], NOW - DAY, NOW))
    assert "aks-&lt;east&gt;" in page
    assert "<b>" not in page
    assert "the newest verification is Failed" in page
    assert page.count("<svg") == 2


def test_the_title_of_a_dot_is_escaped() -> None:
    """What stands in the store as a verdict may be somebody's."""
    picture = chart(shown(trial(1, verdict="</title><script>")), "RPO", HOUR, lambda trial: trial.rpo_s)
    assert "<script>" not in picture
    assert "&lt;script&gt;" in picture
