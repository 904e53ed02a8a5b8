"""Bicep is read as its compiler reads it, also where the grammar that finds its words is wrong."""

from pathlib import Path
from typing import Any

import pytest

from local.stage import INFRA
from tests.infra.evaluated import BicepFile, Scope
from tests.infra.syntax import declarations

FILES = sorted(file for file in INFRA.rglob("*") if file.suffix in (".bicep", ".bicepparam"))
NAMES = """
var off = { it: false, on: { it: true } }
var all = [{ at: 'a', n: 1 }, { at: 'b', n: 2 }]
"""


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(INFRA)))
def test_every_file_is_read_whole(file: Path) -> None:
    words = ("param ", "var ", "func ", "resource ", "module ", "output ")
    lines = [line.strip() for line in file.read_text().splitlines()]
    said = [line.split()[1].partition("(")[0] for line in lines if line.startswith(words)]
    found = [name for each in declarations(file) if each.kind != "import" for name in named(each)]
    assert found == said


def named(declared: Any) -> list[str]:
    """Its name, and those of the resources in it."""
    return [declared.name, *(name for child in getattr(declared.value, "nested", ()) for name in named(child))]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("!off.it", True),
        ("!off.it && off.on.it", True),
        ("off.on.it || off.on.it && off.it", True),
        ("off.?no ?? off.on.it ? 'then' : 'else'", "then"),
        ("off.it ? 1 : off.on.it ? 2 : 3", 2),
        ("'a' == 'b' || 1 + 1 == 2", True),
        ("map(all, each => each.at)", ["a", "b"]),
        ("map(all, (each, index) => each.at)", ["a", "b"]),
        ("map(filter(all, each => !contains(each.at, 'a') && each.n == 2), each => { it: each.n })", [{"it": 2}]),
        ("map(all, each => each.n == 1 ? 'one' : 'more')", ["one", "more"]),
        ("[for (each, index) in all: '${index}: ${each.at}']", ["0: a", "1: b"]),
        ("[tenant().tenantId[0], all[1].at, (off.it)]", ["2", "b", False]),
        ("[\n  all[0].at\n  (off.it)\n  [1]\n]", ["a", False, [1]]),
        ("split(off!.on!.it ? 'a/b' : all[0].at!, '/')[1] // a comment", "b"),
        (r"'it\'s \${not}'", "it's ${not}"),
    ],
)
def test_an_expression_means_what_the_language_says(tmp_path: Path, said: str, meant: object) -> None:
    (tmp_path / "x.bicep").write_text(f"{NAMES}var it = {said}\n")
    assert BicepFile(tmp_path / "x.bicep", {}, Scope("")).value("it") == meant


def test_a_function_is_called_where_it_is_declared_and_where_it_is_imported(tmp_path: Path) -> None:
    (tmp_path / "a.bicep").write_text(
        "func plain(text string) string => trim(text)\n@export()\nfunc both(a string, b object) object => "
        "union({ it: plain(a) }, b)\n"
    )
    (tmp_path / "b.bicep").write_text("import { both, someType } from 'a.bicep'\nvar it = both(' x', { more: 1 })\n")
    assert BicepFile(tmp_path / "b.bicep", {}, Scope("")).value("it") == {"it": "x", "more": 1}


@pytest.mark.parametrize("said", ["var it = (", "var it =", "var it = a b", "var it = '''\nlines'''", "let it = 1"])
def test_what_cannot_be_read_is_an_error(tmp_path: Path, said: str) -> None:
    (tmp_path / "x.bicep").write_text(f"{said}\n")
    with pytest.raises((SyntaxError, ValueError, NotImplementedError)):
        declarations(tmp_path / "x.bicep")
