"""Every make target works in a clone that has nothing beside it, or says in one line what it lacks.

Rules:
- Nothing is installed: what a target calls is replaced by programs that note how they were called. What those would run
  must be in the clone.
- A clone has what Git tracks; a machine has a shell's usual tools, and what a test gives it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TARGETS = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
_USUAL = "make sh env grep awk sed cp mv rm mkdir touch find du cut dirname cat tr"
_REAL = ["go", "cargo", "cc", "npm", "openssl"]
_WITHOUT = [
    *(("test-real", tool, _REAL) for tool in _REAL),
    ("test-azure", "curl", ["curl"]),
    ("deploy", "az", ["az", "curl"]),
    ("deploy", "curl", ["az", "curl"]),
]
_NOTES = '#!/bin/sh\necho "$0 $*" >> "{notes}"\n[ "$1" != -c ] || echo "$0"\n'
_INSTALLED = ("python", "pytest", "ruff", "mypy", "lint-imports")


class Machine:
    """A machine with a clone, and with the tools that it is given."""

    def __init__(self, clone: Path, folder: Path) -> None:
        self.clone, self._bin, self._notes = clone, folder / "bin", folder / "notes"
        self._bin.mkdir()
        for tool in _USUAL.split():
            (self._bin / tool).symlink_to(shutil.which(tool) or pytest.skip(f"there is no {tool} here"))
        self.be("Linux x86_64")

    def be(self, system: str) -> None:
        """A machine of this kind."""
        _program(self._bin / "uname", f"#!/bin/sh\necho {system}\n")

    def give(self, *tools: str) -> None:
        """Programs that note how they were called, and do nothing."""
        for tool in tools:
            _program(self._bin / tool, _NOTES.format(notes=self._notes))

    def give_another_python(self) -> None:
        _program(self._bin / "python3", "#!/bin/sh\nexit 1\n")

    def install(self) -> None:
        """As if everything were installed in the clone."""
        for tool in _INSTALLED:
            _program(self.clone / ".venv" / "bin" / tool, _NOTES.format(notes=self._notes))
        for ready in (".venv", ".cache/az", ".cache/checkov"):
            (self.clone / ready).mkdir(parents=True, exist_ok=True)
            (self.clone / ready / ".ready").touch()

    def make(self, *arguments: str, **environ: str) -> tuple[int, list[str]]:
        """The exit status, and what was said but by make itself."""
        done = subprocess.run(
            [self._bin / "make", *arguments],
            cwd=self.clone,
            env={"PATH": str(self._bin), **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, [line for line in done.stdout.splitlines() if not line.startswith("make: ")]

    @property
    def called(self) -> list[str]:
        return self._notes.read_text().splitlines() if self._notes.exists() else []


def _program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Git tracks, as it stands here."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    clone = tmp_path_factory.mktemp("clone") / "a clone"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in tracked.stdout.strip("\0").split("\0"):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_file():
            shutil.copy(ROOT / name, clone / name)
    return clone


@pytest.fixture
def machine(clone: Path, tmp_path: Path) -> Machine:
    for made in (".venv", ".cache", "out"):
        shutil.rmtree(clone / made, ignore_errors=True)
    return Machine(clone, tmp_path)


@pytest.mark.parametrize("target", [each for each in TARGETS if each not in ("help", "remove", "clean")])
@pytest.mark.parametrize("python", ["none", "another"])
def test_without_its_python_a_target_says_so_and_installs_nothing(machine: Machine, target: str, python: str) -> None:
    machine.give(*_REAL, "az", "curl")
    if python == "another":
        machine.give_another_python()
    status, said = machine.make(target)
    assert status != 0
    assert said == ["Meshward needs Python 3.13 with pip and venv; say which with: make PYTHON=/path/to/python3.13"]
    assert not (machine.clone / ".venv").exists()


@pytest.mark.parametrize(("target", "tool", "needed"), _WITHOUT)
def test_without_a_tool_a_target_says_so_and_installs_nothing(
    machine: Machine, target: str, tool: str, needed: list[str]
) -> None:
    machine.give("python3", *(each for each in needed if each != tool))
    status, said = machine.make(target)
    assert status != 0
    assert said == [f"make {target} needs {tool}, which isn't on the PATH"]
    assert machine.called == []


@pytest.mark.parametrize("name", ["AZURE_ENV_NAME", "AZURE_LOCATION", "MESHWARD_AUDIENCE"])
def test_a_deployment_says_which_of_its_settings_is_missing(machine: Machine, name: str) -> None:
    machine.install()
    machine.give("az", "curl")
    given = {"AZURE_ENV_NAME": "mw", "AZURE_LOCATION": "westeurope", "MESHWARD_AUDIENCE": "a"}
    status, said = machine.make("deploy", **{key: value for key, value in given.items() if key != name})
    assert status != 0
    assert len(said) == 1
    assert name in said[0]
    assert not any("/az" in call for call in machine.called)


@pytest.mark.parametrize(
    "target", [each for each in TARGETS if each not in ("deploy", "release", "remove")]
)  # ask real programs
def test_a_target_that_has_its_tools_runs_the_code_of_the_clone(machine: Machine, target: str) -> None:
    machine.install()
    machine.give(*_REAL, "curl")
    status, said = machine.make(target)
    assert status == 0, said
    assert machine.called or target in ("help", "clean")
    assert [each for each in needed_files(machine.called) if not (machine.clone / each).exists()] == []


@pytest.mark.parametrize("tool", ["az", "checkov"])
def test_a_tool_is_installed_by_the_python_that_everything_was_installed_by(machine: Machine, tool: str) -> None:
    machine.install()
    machine.give("curl")
    machine.give_another_python()
    (machine.clone / ".cache" / tool / ".ready").unlink()
    _program(machine.clone / ".cache" / tool / "bin" / "pip", _NOTES.format(notes="/dev/null"))
    status, said = machine.make("test-azure")
    assert status == 0, said
    assert f".venv/bin/python -m venv .cache/{tool}" in machine.called


@pytest.mark.parametrize("system", ["Linux x86_64", "Linux aarch64", "Darwin arm64"])
def test_a_package_is_built_for_the_platform_of_the_app_and_tried_where_possible(machine: Machine, system: str) -> None:
    machine.install()
    machine.be(system)
    status, said = machine.make("package")
    assert status == 0, said
    [installing] = [call for call in machine.called if " -m pip install " in call]
    assert re.findall(r"--platform (\S+)", installing) == ["manylinux_2_28_x86_64", "manylinux2014_x86_64"]
    assert any(call.endswith(" -B -S -") for call in machine.called) is (system == "Linux x86_64")
    assert any("not tried" in line for line in said) is (system != "Linux x86_64")


def needed_files(called: Iterable[str]) -> list[str]:
    """The modules and folders of the clone that calls name."""
    calls = "\n".join(called)
    modules = re.findall(r" -m ((?:local|tests)[\w.]*)", calls)
    folders = re.findall(r"/pytest (?:.* )?(tests/\w+)", calls)
    return [f"{module.replace('.', '/')}.py" for module in modules] + folders


def test_tests_of_bicep_need_nothing_outside_the_clone(machine: Machine) -> None:
    said = run(machine.clone, "pytest", "--numprocesses=0", "-p", "no:cacheprovider", "-rs", "tests/infra")
    assert "passed" in said
    skipped = [line for line in said.splitlines() if line.startswith("SKIPPED")]
    assert len(skipped) == 1, skipped
    assert "the Bicep checker isn't beside the repository" in skipped[0]


def test_the_stand_in_of_the_bicep_compiler_needs_nothing_outside_the_clone(machine: Machine) -> None:
    built = run(machine.clone, "tests.azure.bicep", "build", "--stdout", "infra/main.bicep")
    assert len(json.loads(built)["resources"]) > 10


def run(clone: Path, *module: str) -> str:
    given = {"AZURE_SUBSCRIPTION_ID": "11111111-1111-4111-8111-111111111111", "MESHWARD_AUDIENCE": "a"}
    environ = {**os.environ, **given}
    command = [sys.executable, "-m", *module]
    done = subprocess.run(command, cwd=clone, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout
