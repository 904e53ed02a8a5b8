"""Docstrings and comments name what is there: what is renamed or moved is renamed where it is spoken of, too."""

import ast
import io
import re
import tokenize
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TREES = ("functions", "shared", "local", "tests")
FILES = sorted({file for tree in TREES for file in (ROOT / tree).rglob("*.py")} - {Path(__file__)})
DATA = {".bicep", ".json", ".yaml", ".yml", ".sh"}
OTHERS = {
    "aks_helper",  # a file of azure-cli
    "properties_x",  # how Resource Graph names a column that has no name
    "shared/oracle",  # beside a checkout, where there is one
}
_PATH = r"(?<![\w/.])(?:functions|shared|local|tests|infra|docs)/[\w./-]*\w"
_MODULE = r"(?<![\w/.])(?:functions|shared|local|tests)(?:\.[a-z_]\w*)+"
_NAME = r"\b[a-z]+_\w+\b"


def named(file: Path) -> str:
    return str(file.relative_to(ROOT))


@cache
def halves(file: Path) -> tuple[str, str]:
    """What a source says in docstrings and comments, and its code without them, literals included."""
    text = file.read_text()
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Expr)]
    docstrings = {node.value.lineno for node in nodes if isinstance(node.value, ast.Constant)}
    said: list[str] = []
    written: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        docstring = token.type == tokenize.STRING and token.start[0] in docstrings
        (said if docstring or token.type == tokenize.COMMENT else written).append(token.string)
    return "\n".join(said), "\n".join(written)


@cache
def code() -> str:
    """What sources name: all code, what is deployed and documented as data, and the names of files."""
    data = (file.read_text() for tree in ("infra", "docs") for file in (ROOT / tree).rglob("*") if file.suffix in DATA)
    return "\n".join([*(halves(file)[1] for file in FILES), *data, *(named(file) for file in FILES)])


@cache
def words() -> set[str]:
    return set(re.findall(r"\w+", code()))


def is_module(name: str) -> bool:
    """Whether the dotted name begins with a module of ours, down to where files end."""
    path = ROOT
    for part in name.split("."):
        if (path / f"{part}.py").exists():
            return True
        path /= part
    return path.is_dir()


def lacking(text: str) -> list[str]:
    """What a text names that isn't there."""
    paths = [p for p in re.findall(_PATH, text) if not (ROOT / p).exists() and f'"{p}"' not in code()]
    modules = [name for name in re.findall(_MODULE, text) if not is_module(name)]
    names = [name for name in re.findall(_NAME, text) if name not in words()]
    return [each for each in (*paths, *modules, *names) if each not in OTHERS]


def test_names_in_docstrings_and_comments_exist() -> None:
    said = {file: halves(file)[0] for file in FILES}
    assert len("".join(said.values())) > 100_000
    assert {named(file): lacks for file, text in said.items() if (lacks := lacking(text))} == {}


@pytest.mark.parametrize(
    "text", ["as functions/trust/proofs.py", "in shared.domain.trust_gates", "those of trust_steps", "see tests/sdk.py"]
)
def test_a_name_of_moved_code_is_found_where_it_still_stands(text: str) -> None:
    assert lacking(text)
