"""`make run` reaches every goal, reports what the world shows, and leaves nothing behind."""

import asyncio
import json
import os
import re
import signal
import sys
from dataclasses import replace
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from local import run, scenario
from local.cloud.clock import Clock
from local.cloud.world import World
from local.manifests import places
from local.observe import Observed, Restore, left_over, shortcomings
from local.plays import SCENARIOS
from local.stage import APP

GOOD = Observed(
    proxies=44,
    handshakes=2_000,
    failed_handshakes=0,
    roots=["new"],
    instances=[{"cluster": "aks-new", "protection_status": "ProtectionConfigured"}],
    restores=[Restore(job=name, status="Completed", rpo_s=1.0, rto_s=1.0) for name in "ab"],
    verdicts=["Verified", "Verified"],
    left_over=0,
)
BEFORE = Observed(
    proxies=44, handshakes=0, failed_handshakes=0, roots=["old"], instances=[], restores=[], verdicts=[], left_over=0
)


async def test_the_three_events_end_in_the_outcomes_that_the_world_shows(tmp_path: Path) -> None:
    shown = StringIO()
    assert await run.played(Console(file=shown, width=200), SCENARIOS["all"], tmp_path / "run.json") == 0
    shows_plan_and_census(shown.getvalue())
    outcome = json.loads((tmp_path / "run.json").read_text())
    linkerd, restores = outcome["observed"]["linkerd"], outcome["observed"]["restores"]
    assert outcome["ok"] is True
    assert linkerd["handshakes"] >= 1_000
    assert linkerd["failed_handshakes"] == 0
    assert len(linkerd["roots_after"]) == 1
    assert linkerd["roots_after"] != linkerd["roots_before"]
    assert {"cluster": "aks-new", "protection_status": "ProtectionConfigured"} in outcome["observed"]["backup"][
        "instances"
    ]
    assert (restores["verdict"], restores["left_over"]) == ("Verified", 0)
    for flow in outcome["flows"].values():
        assert flow["status"] == "Completed"
        assert flow["event_id"]
    assert outcome["versions"]["durabletask"] == "1.12.0"


def shows_plan_and_census(shown: str) -> None:
    assert re.search(r"protect_cluster +build \[.*changes 11\]\n.* - create storage account st", shown)
    assert re.search(r"aks-east .*bv-seeded, aks-daily .*\d{4}-", shown)
    assert re.search(r"aks-west .*NotAskedFor: neither its tag", shown)
    assert re.search(r"census of .*: [12] of 3 clusters protected, (33\.3|66\.6) %", shown), "one may be under way"


async def test_a_rotation_on_hold_says_what_blocks_it_and_goes_on_when_that_is_gone(tmp_path: Path) -> None:
    shown = StringIO()
    assert await run.played(Console(file=shown, width=200), SCENARIOS["hold"], tmp_path / "run.json") == 0
    lines = shown.getvalue().splitlines()
    (on_hold,) = [n for n, line in enumerate(lines) if "ON HOLD: ProxiesLackRoots: aks-west: 1 of" in line]
    (resumed,) = [n for n, line in enumerate(lines) if "resume: 202" in line]
    (proven,) = [n for n, line in enumerate(lines) if "proven B1" in line]
    assert on_hold < resumed < proven


async def test_a_damaged_copy_fails_and_its_report_says_why(tmp_path: Path) -> None:
    shown = StringIO()
    assert await run.played(Console(file=shown, width=200), SCENARIOS["bad-restore"], tmp_path / "run.json") == 0
    text = shown.getvalue()
    assert re.search(r"Failed: backup [0-9a-f-]{36}", text)
    assert re.search(r"│ inventory +│ ✗ │ .*(StatefulSet|ConfigMap)", text)
    assert re.search(r"│ restore job +│ ✓ │", text)
    assert "restores: Failed" in text


def test_a_missed_goal_fails_the_run() -> None:
    assert shortcomings(BEFORE, GOOD) == []
    lacking: dict[str, dict[str, Any]] = {
        "1000 handshakes or more": {"handshakes": 999},
        "no failed handshake": {"failed_handshakes": 1},
        "one new root, the old one gone": {"roots": ["new", "old"]},
        "aks-new protected": {"instances": []},
        "two restores completed": {"restores": GOOD.restores[:1]},
        "verdicts Verified and Verified": {"verdicts": ["Verified", "VerifiedWithFindings"]},
        "nothing left over": {"left_over": 1},
    }
    for goal, facts in lacking.items():
        assert shortcomings(BEFORE, replace(GOOD, **facts)) == [goal]


def test_every_copy_is_left_over_but_the_namespace_of_the_self_test_is_none() -> None:
    world = World(Clock(0))
    for share in (scenario.SHARE, "verify-orders-1"):
        world.file_shares.create(scenario.STORAGE_ACCOUNT, share)
    world.aks.add("aks-east")
    for name in ("shop", "verify-shop-1", "verify-selftest-1"):  # before there are policies against it
        world.kubernetes.clusters["aks-east"].apply(scenario.namespace(name))
    world.kubernetes.apply_everywhere(places("verifier"))
    assert world.kubernetes.clusters["aks-east"].find("Namespace", "", "verify-selftest")
    assert sorted(left_over(world)) == ["aks-east/verify-selftest-1", "aks-east/verify-shop-1", "verify-orders-1"]


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "TERM"])
@pytest.mark.parametrize(
    ("module", "said", "status"), [("run", b"rotate_trust_root", 130), ("serve", b"Ctrl-C ends", 0)]
)
async def test_what_is_ended_leaves_no_process_no_port_and_no_file(
    module: str, said: bytes, status: int, ending: signal.Signals, tmp_path: Path
) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"local.{module}",
        cwd=APP,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores Ctrl-C
    )
    assert child.stdout
    async for line in child.stdout:
        if said in line:
            break
    group = processes_of(child.pid)
    assert len(group) == 2  # itself and the worker
    child.send_signal(ending)
    await child.stdout.read()
    assert await child.wait() == status
    assert (processes_of(child.pid), os.listdir(tmp_path)) == ([], [])


def processes_of(session: int) -> list[int]:
    """The live processes of a session, of which each holds the ports that it opened."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if session_of(pid) == session and not is_zombie(pid)]


def session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
