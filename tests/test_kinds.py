"""No flow asks which kind an item or a data source is of: its struct and its kind's adapters answer for it."""

import ast
from pathlib import Path
from typing import get_args

import pytest

from shared.domain.restores.items import Item
from shared.domain.vaults.sources import DataSource

ROOT = Path(__file__).parents[1]
UNIONS = (*get_args(Item.__value__), *get_args(DataSource.__value__))
STRUCTS = {struct.__name__ for struct in UNIONS}
KINDS = {struct.__struct_config__.tag for struct in UNIONS}


def questions(source: str) -> list[str]:
    """Where this source asks for the kind of an item: by its tag, or by its class."""
    return [ast.unparse(node) for node in ast.walk(ast.parse(source)) if _asks(node)]


def _asks(node: ast.AST) -> bool:
    match node:
        case ast.Compare():
            return any(_names_a_kind(each) for each in (node.left, *node.comparators))
        case ast.MatchValue() | ast.MatchClass():
            return _names_a_kind(node.value if isinstance(node, ast.MatchValue) else node.cls)
        case ast.Call(func=ast.Name("isinstance" | "issubclass"), args=[_, kinds]):
            return _names_a_kind(kinds)
    return False


def _names_a_kind(node: ast.expr) -> bool:
    named = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]
    return bool(KINDS & set(named) or STRUCTS & {each.id for each in ast.walk(node) if isinstance(each, ast.Name)})


def test_nobody_asks_which_kind_an_item_is_of() -> None:
    files = {
        str(file.relative_to(ROOT)): file for tree in ("functions", "shared") for file in (ROOT / tree).rglob("*.py")
    }
    asking = {name: found for name, file in files.items() if (found := questions(file.read_text()))}
    assert asking == {}


@pytest.mark.parametrize(
    "question",
    [
        "plan.item.kind == 'cluster'",
        "'share' != kind",
        "item.kind in ('share', 'machine')",
        "isinstance(item, ClusterItem)",
        "isinstance(item, (items.X, MachineItem))",
        "type(item) is ShareItem",
        "match item.kind:\n    case 'share': pass",
        "match item:\n    case ShareItem(): pass",
    ],
)
def test_a_question_for_the_kind_is_found(question: str) -> None:
    assert questions(question)


@pytest.mark.parametrize("answer", ["restores[item.kind]", "{'share': 1}[kind]", "kind == 'ConfigMap'"])
def test_a_look_into_a_table_of_kinds_is_no_such_question(answer: str) -> None:
    assert questions(answer) == []
