"""The insides of durabletask and aiohttp that the host relies on: all are listed, and the installed versions agree."""

import ast
import inspect
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import pytest
from durabletask.testing import in_memory_backend
from durabletask.testing.in_memory_backend import InMemoryOrchestrationBackend, OrchestrationInstance

from local.host import durable, engine, host, management, upstream
from local.host.engine import Engine

LISTED = {*upstream.REPLACED, *upstream.CALLED, *upstream.STATE}


def test_the_installed_libraries_are_as_listed() -> None:
    assert list(upstream.departures()) == []


def test_the_engine_replaces_what_is_listed_and_nothing_else() -> None:
    theirs = {name for name in vars(Engine) if hasattr(InMemoryOrchestrationBackend, name) and name[:2] != "__"}
    assert theirs == set(upstream.REPLACED)


@pytest.mark.parametrize("module", [engine, durable, host, management], ids=lambda module: str(module.__name__))
def test_nothing_else_of_the_back_end_is_called_or_read(module: ModuleType) -> None:
    theirs = set(dir(InMemoryOrchestrationBackend())) - set(dir(object))
    assert {name for name in attributes(module, "self", "engine", "super()") if name in theirs} <= LISTED


@pytest.mark.parametrize("module", [engine, durable, host], ids=lambda module: str(module.__name__))
def test_nothing_else_of_an_instance_is_read(module: ModuleType) -> None:
    theirs = {field.name for field in fields(OrchestrationInstance)}
    read = set(attributes(module, "instance", "child", "found", "one"))
    assert read & theirs <= set(upstream.INSTANCE)


def test_a_changed_back_end_is_refused_with_what_changed() -> None:
    class Other(InMemoryOrchestrationBackend):
        def __init__(self) -> None:
            super().__init__()
            del self._instances

        def _watch_sub_orchestration(self, parent: str, child: str) -> None:  # type: ignore[override]
            pass

    changed = ModuleType("changed")
    changed.__dict__.update(vars(in_memory_backend))
    changed.InMemoryOrchestrationBackend = Other  # type: ignore[attr-defined]
    del changed.datetime
    with pytest.raises(upstream.Changed) as refused:
        upstream.require(changed)
    for text in (
        "takes ('self', 'parent', 'child') in _watch_sub_orchestration",
        "back end has no _instances",
        "the module of durabletask's back end has no datetime",
    ):
        assert text in str(refused.value)


def attributes(module: ModuleType, *of: str) -> Iterator[str]:
    """The names that a module's source reads of variables of these names, or of attributes that end in them."""
    for node in ast.walk(ast.parse(Path(inspect.getfile(module)).read_text())):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value).rpartition(".")[2] in of:
            yield node.attr
