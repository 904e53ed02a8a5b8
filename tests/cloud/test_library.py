"""The simulated cloud is a library in place: it needs nothing of the app, goes in no circle, and runs as it says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cloud.imports import circles, imports, reached, sources

ROOT = Path(__file__).parents[2]
CLOUD = ROOT / "local" / "cloud"
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", (CLOUD / "README.md").read_text(), re.MULTILINE | re.DOTALL)


def test_no_modules_import_each_other() -> None:
    assert circles(imports(sources(ROOT, "local/cloud"))) == []


def test_modules_that_import_each_other_are_found_however_they_do() -> None:
    made_up = {
        "cloud.world": "from cloud.aks import Aks\n",
        "cloud.aks": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from cloud.world import World\n",
        "cloud.wire": "def late():\n    import cloud.clock\n",
        "cloud.clock": "from cloud import wire\n",
        "cloud.arm": "from cloud import aks, wire\n",
    }
    assert circles(imports(made_up)) == [{"cloud.world", "cloud.aks"}, {"cloud.wire", "cloud.clock"}]


def test_the_world_alone_puts_services_together() -> None:
    found = imports(sources(ROOT, "local/cloud"))
    assert not [module for module, names in found.items() if "local.cloud.world" in names]


def test_nothing_of_the_project_but_itself_is_imported() -> None:
    found = {name for names in imports(sources(ROOT, "local/cloud")).values() for name in names}
    assert {name for name in found if is_of_project(name)} == {n for n in found if n.startswith("local.cloud.")}


@pytest.mark.parametrize("file", sorted(CLOUD.rglob("*.*")), ids=lambda file: str(file.relative_to(CLOUD)))
def test_no_file_knows_whose_cloud_it_is(file: Path) -> None:
    if file.suffix != ".pyc":
        assert "meshward" not in file.read_text().lower()


def test_its_tests_need_nothing_of_the_app() -> None:
    graph = imports(sources(ROOT, "tests", "functions", "shared", "local"))
    own = {module for module in graph if module.startswith("tests.cloud.")} | {"tests.conftest"}
    needed = {name for module in own for name in reached(graph, module)}
    assert not {name for name in needed if is_of_project(name)} - {n for n in needed if n.startswith("local.cloud.")}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.splitlines()[0].removeprefix("# "))
def test_an_example_of_the_readme_prints_what_it_says(example: str) -> None:
    wanted = re.findall(r"print\(.*# (.*)$", example, re.MULTILINE)
    ran = subprocess.run([sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.stdout.splitlines(), ran.stderr) == (wanted, "")


def test_the_readme_has_examples() -> None:
    assert len(EXAMPLES) == 3


def is_of_project(module: str) -> bool:
    return module.partition(".")[0] in ("functions", "shared", "local", "function_app")
