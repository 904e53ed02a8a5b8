"""The package is for the machines that the app runs on, whatever machine builds it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from local.stage import APP

FIRST = 'echo "$*" >> "{notes}"; case "$*" in *sys.executable*) echo "$0" ;; *libc_ver*) echo "{machine}" ;; esac'
LIKE_THE_APP_S = "3 13 linux x86_64 glibc"


def built(folder: Path, machine: str) -> tuple[list[str], str]:
    """How Python was called by infra/package.sh on a machine that says so of itself, and what was said."""
    notes, python = folder / "notes", folder / "python"
    python.write_text(f"#!/bin/sh\n{FIRST.format(notes=notes, machine=machine)}\n")
    python.chmod(0o755)
    for name in ("functions", "shared"):
        (folder / name).mkdir()
    for name in ("function_app.py", "host.json", "requirements.txt", "LICENSE"):
        shutil.copy(APP / name, folder)
    shutil.copytree(APP / "infra", folder / "infra")
    environ = {"PYTHON": str(python), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [folder / "infra" / "package.sh"], env=environ, capture_output=True, text=True, cwd=folder, check=False
    )
    return notes.read_text().splitlines(), done.stderr


@pytest.mark.parametrize("machine", [LIKE_THE_APP_S, "3 13 darwin arm64 ", "3 13 linux aarch64 glibc"])
def test_packages_are_those_of_python_3_13_on_linux_and_x86_64_on_every_machine(tmp_path: Path, machine: str) -> None:
    called, _ = built(tmp_path, machine)
    (install,) = [line for line in called if "pip install" in line]
    assert "--only-binary=:all:" in install
    assert "--implementation cp --python-version 3.13 --abi cp313" in install
    assert "--platform manylinux_2_28_x86_64" in install


@pytest.mark.parametrize(("machine", "tried"), [(LIKE_THE_APP_S, True), ("3 13 darwin arm64 ", False)])
def test_that_it_imports_is_tried_where_it_can_and_where_it_cannot_that_is_said(
    tmp_path: Path, machine: str, tried: bool
) -> None:
    called, said = built(tmp_path, machine)
    assert ("-B -S -" in called) is tried
    assert ("whether it imports shows on Azure" in said) is not tried
