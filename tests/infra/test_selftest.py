"""The self-test's script, where a stand-in of `curl` answers."""

from pathlib import Path

import pytest

from tests.worlds.rollout_scripts import ran


def answering(tools: Path, said: str) -> None:
    """A `curl` that says this, and a `sleep` that takes no time; what they are asked is in the file `curled`."""
    for name, does in (("curl", f'echo "$*" >>"{tools}/curled"\necho \'{said}\''), ("sleep", ":")):
        (tools / name).write_text(f"#!/bin/sh\n{does}\n")
        (tools / name).chmod(0o755)


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        ("func-meshward.azurewebsites.net", "https://func-meshward.azurewebsites.net"),
        ("http-mesh.azurewebsites.net", "https://http-mesh.azurewebsites.net"),
        ("http://127.0.0.1:7071", "http://127.0.0.1:7071"),
    ],
)
def test_no_host_name_makes_the_token_go_in_the_clear(tools: Path, told: str, asked: str) -> None:
    answering(tools, '{"status_url": "/s", "status": "failed"}')
    run = ran(tools, [], "selftest.sh", told, MESHWARD_AUDIENCE="a")
    assert (run.returncode, run.stdout.splitlines()[-1][:6]) == (1, "FAILED")
    curled = (tools / "curled").read_text().splitlines()
    assert [line.rpartition(" ")[2] for line in curled] == [f"{asked}/api/selftest", f"{asked}/s"]


def test_a_self_test_that_does_not_end_is_not_waited_for_without_end(tools: Path) -> None:
    answering(tools, '{"status_url": "/s", "status": "running"}')
    run = ran(tools, [], "selftest.sh", "func-meshward.azurewebsites.net", MESHWARD_AUDIENCE="a")
    assert (run.returncode, run.stderr) == (1, "It hasn't ended after 15 minutes: the app's log says why\n")
