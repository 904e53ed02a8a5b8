"""Scripts that people call say what they do and need, and a wrong call changes nothing."""

import os
import subprocess
from pathlib import Path

import pytest

from local.stage import INFRA
from tests.worlds.rollout_scripts import HOME, ran

NAMES = ["after-code", "deploy", "entra", "evidence", "package", "provision"]
NAMES += ["publish", "remove", "roles", "selftest", "what-if"]
WRONG = {"evidence": ["locked"], "entra": ["assign", "operator"], "publish": [], "remove": ["--all"], "selftest": []}


def called(tmp_path: Path, name: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """A script where each tool that could change something leaves a trace."""
    for tool in ("az", "curl", "python3"):
        (tmp_path / tool).write_text(f'#!/bin/sh\ntouch "{tmp_path}/touched"\n')
        (tmp_path / tool).chmod(0o755)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "AZURE_ENV_NAME": "mw", "AZURE_RESOURCE_GROUP": "rg-mw"}
    command = [str(INFRA / f"{name}.sh"), *arguments]
    return subprocess.run(command, env={**path, **environ}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", NAMES)
def test_help_is_what_the_script_says_of_itself_and_nothing_is_done(tmp_path: Path, name: str) -> None:
    done = called(tmp_path, name, "--help")
    first = (INFRA / f"{name}.sh").read_text().splitlines()[1]
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == first.removeprefix("# ")
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_call_says_what_is_right_and_nothing_is_done(tmp_path: Path, name: str) -> None:
    done = called(tmp_path, name, *WRONG.get(name, ["again"]))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith((INFRA / f"{name}.sh").read_text().splitlines()[1].removeprefix("# "))
    assert not (tmp_path / "touched").exists()


def test_a_package_that_is_missing_is_named_before_anything_is_uploaded(tmp_path: Path) -> None:
    done = called(tmp_path, "publish", "out/none.zip", FUNCTION_APP="func-mw")
    assert (done.returncode, done.stderr) == (1, "There is no package out/none.zip: infra/package.sh builds one\n")
    assert not (tmp_path / "touched").exists()


def test_evidence_is_not_locked_where_there_is_none(tools: Path) -> None:
    done = ran(tools, [("account show", "", [HOME])], "evidence.sh", "lock", AZURE_RESOURCE_GROUP="rg-mw")
    assert done.returncode == 1
    assert done.stderr.startswith("There is no evidence in rg-mw: deploy first")
