"""What the bench says of restore testing, for a day of few backups."""

import json
from dataclasses import replace

from local import bench_restores
from local.cloud.wire import Exchange


def accepted(namespace: str, status: int = 202) -> Exchange:
    criteria = {"namespaceMappings": {"shop": namespace}}
    request = {"restoreTargetInfo": {"restoreCriteria": [criteria]}}
    return Exchange(
        method="POST",
        url="https://localhost/subscriptions/s/backupInstances/i/restore?api-version=1",
        request=json.dumps(request).encode(),
        request_headers={},
        status=status,
        headers={},
        body=None,
    )


def test_a_restore_counts_for_its_isolated_namespace_once_it_is_accepted() -> None:
    tally = bench_restores.Tally()
    for exchange in (accepted("verify-a"), accepted("verify-b"), accepted("verify-b", status=429)):
        tally.append(exchange)
    assert tally.isolated == {"verify-a": 1, "verify-b": 1}
    tally.append(accepted("verify-b"))
    assert tally.isolated["verify-b"] == 2
    assert len(tally) == 0


def test_a_failed_backup_is_explained_once_however_often_its_event_is_sent() -> None:
    tally = bench_restores.Tally()
    for id, type in (("a:Failed", "Failed"), ("a:Failed", "Failed"), ("b:Completed", "Completed")):
        event = [{"id": id, "type": f"Meshward.Backup.{type}"}]
        url = "https://localhost/topics/meshward/api/events"
        tally.append(replace(accepted(""), url=url, request=json.dumps(event).encode()))
    assert tally.failed == {"a:Failed"}


async def test_every_backup_of_a_day_is_verified_sampled_out_or_explained_whatever_fails_on_it() -> None:
    figures = await bench_restores.measured(clusters=10, completions=25)
    assert figures["verified"] + figures["sampled_out"] + figures["explained"] == figures["completions"] == 25
    assert figures["verified"] >= 5, "an item that was never verified is drawn for sure"
    assert figures["explained"] >= 3, "a failed backup, a failed restore, an expired point or a stopped cluster"
    assert (figures["restored_twice"], figures["left_over"]) == (0, 0)
    assert figures["calls_per_verification"] > 10
    assert figures["queries_per_idle_tick"] == 1
