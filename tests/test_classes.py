"""A public class has a name of its own: who searches for it finds one thing."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TREES = ("functions", "shared", "local", "tests")


def shared_names(files: dict[str, str]) -> dict[str, list[str]]:
    """The names that several public classes of these sources have, with their files."""
    files_of: dict[str, list[str]] = defaultdict(list)
    for name, source in files.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                files_of[node.name].append(name)
    return {name: found for name, found in files_of.items() if len(found) > 1}


def test_no_two_public_classes_share_a_name() -> None:
    files = (file for tree in TREES for file in sorted((ROOT / tree).rglob("*.py")))
    assert shared_names({str(file.relative_to(ROOT)): file.read_text() for file in files}) == {}


@pytest.mark.parametrize("second", ["class Plan: ...", "def f():\n    class Plan: ..."])
def test_a_second_class_of_a_name_is_found(second: str) -> None:
    assert shared_names({"a.py": "class Plan: ...", "b.py": second}) == {"Plan": ["a.py", "b.py"]}
