"""The simulated cloud is a library: it needs nothing of the app, has no circular imports, and its examples run."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

Imports = Mapping[str, set[str]]
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
    assert foreign({name for names in imports(sources(ROOT, "local/cloud")).values() for name in names}) == set()


def test_no_file_of_the_cloud_names_the_project() -> None:
    files = [file for file in CLOUD.rglob("*") if file.suffix in (".py", ".md", ".json")]
    assert len(files) > 80
    assert [file.name for file in files if "meshward" in file.read_text().lower()] == []


def test_its_tests_need_nothing_of_the_app() -> None:
    graph = imports(sources(ROOT, "tests", "functions", "shared", "local"))
    own = {module for module in graph if module.startswith("tests.cloud.")} | {"tests.conftest"}
    assert foreign({name for module in own for name in reached(graph, module)}) == set()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.splitlines()[0].removeprefix("# "))
def test_an_example_of_the_readme_prints_what_it_says(example: str) -> None:
    expected = re.findall(r"print\(.*# (.*)$", example, re.MULTILINE)
    ran = subprocess.run([sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.stdout.splitlines(), ran.stderr) == (expected, "")


def test_the_readme_has_examples() -> None:
    assert len(EXAMPLES) == 3


def foreign(modules: Iterable[str]) -> set[str]:
    """Modules of the project that are neither the cloud's nor tests."""
    ours = {name for name in modules if name.partition(".")[0] in ("functions", "shared", "local", "function_app")}
    return {name for name in ours if not f"{name}.".startswith("local.cloud.")}


def named(file: Path, root: Path) -> str:
    """The module that a file is."""
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources(root: Path, *packages: str) -> dict[str, str]:
    """The sources of all modules of these packages, which are folders or files below `root`, by module."""
    return {named(f, root): f.read_text() for p in packages for f in sorted((root / p).rglob("*.py"))}


def imports(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """What each module imports, whether it is among the sources or not; of a package's names those that are modules."""
    return {module: set(_imported(ast.parse(text), sources)) for module, text in sources.items()}


def _imported(tree: ast.Module, modules: Mapping[str, str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute here"
            within = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from within & modules.keys() or {str(node.module)}


def reached(graph: Imports, start: str) -> set[str]:
    """All that a module imports, by whatever way."""
    found: set[str] = set()
    ahead = set(graph.get(start, ()))
    while ahead:
        found |= ahead
        ahead = {further for module in ahead for further in graph.get(module, ())} - found
    return found


def circles(graph: Imports) -> list[set[str]]:
    """The groups of modules that import each other, each group once."""
    below = {module: reached(graph, module) for module in graph}
    found = [{other for other in below[module] if module in below.get(other, ())} for module in graph]
    return [circle for number, circle in enumerate(found) if circle and circle not in found[:number]]
