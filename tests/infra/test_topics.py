"""System topics that are there already are found, or the rollout ends before it would make second ones."""

import os
import subprocess
from pathlib import Path

import pytest

from local.stage import INFRA

ONE, TWO = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
AZ = f"""#!/bin/sh
case "$*" in
  "account show "*) echo {ONE} ;;
  "eventgrid system-topic list --subscription {ONE} "*topicType*Microsoft.Resources.Subscriptions*)
    printf '/subscriptions/{ONE}\\t/first\\n/subscriptions/{ONE}/resourceGroups/rg\\t/of-a-group\\n' ;;
  "eventgrid system-topic list --subscription {TWO} "*) $TWO ;;
  "deployment "*) touch "$DEPLOYED" ;;
esac
"""
GIVEN = {"AZURE_ENV_NAME": "mw", "AZURE_LOCATION": "westeurope", "MESHWARD_AUDIENCE": "a"}


def run(script: str, folder: Path, two: str) -> subprocess.CompletedProcess[str]:
    """A script where an az answers for a fleet of two subscriptions, and providers are registered."""
    (folder / "az").write_text(AZ)
    (folder / "az").chmod(0o755)
    path = {"PATH": f"{folder}:{os.environ['PATH']}", "TWO": two, "DEPLOYED": str(folder / "deployed")}
    fleet = {"AZURE_SUBSCRIPTION_ID": ONE, "MESHWARD_SUBSCRIPTION_IDS": f"{ONE},{TWO}"}
    environ = {**os.environ, **GIVEN, **fleet, **path}
    return subprocess.run([INFRA / script], env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("two", "found"), [(rf"printf /Subscriptions/{TWO}\t/second\n", "/first,/second"), ("true", "/first")]
)
def test_system_topics_of_all_subscriptions_are_found(tmp_path: Path, two: str, found: str) -> None:
    assert run("topics.sh", tmp_path, two).stdout == f"{found}\n"


def test_a_subscription_that_cannot_be_looked_at_is_not_one_without_a_system_topic(tmp_path: Path) -> None:
    done = run("topics.sh", tmp_path, "false")
    assert (done.returncode, done.stdout) == (1, "")


def test_nothing_is_shown_or_deployed_if_a_subscription_cannot_be_looked_at(tmp_path: Path) -> None:
    assert run("what-if.sh", tmp_path, "false").returncode == 1
    assert not (tmp_path / "deployed").exists()
