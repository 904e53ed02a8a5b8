"""The app with one thing of it replaced: what a world then shows is what the real thing is for.

Rules:
- A mutant names what it replaces by its qualified name. One that isn't there is an error, here and in the worker.
- It is replaced where it is defined, before any other module of the app has imported it.
- A function that takes its place reaches the worker as source: it may use its arguments, builtins and what it names of
  other modules, nothing else of its test.
"""

import ast
import inspect
import pkgutil
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any, NamedTuple

from local.stage import APP

_HEAD = """from __future__ import annotations

import functools
import pkgutil
"""
_REPLACED = """
{source}
owner, _, name = {name!r}.rpartition(".")
real = pkgutil.resolve_name({name!r})
setattr(pkgutil.resolve_name(owner), name, {by})

{imports}
"""
_TAIL = """
from real_app import app
"""


class Mutant(NamedTuple):
    """What is replaced, and by what: a function, which gets the real one first, or the name of something else."""

    name: str
    by: Callable[..., Any] | str

    def grow(self, folder: Path, *others: "Mutant") -> Path:
        """The app with this replaced, and what `others` replace: the real one, and a loader that comes first."""
        for one in (self, *others):
            pkgutil.resolve_name(one.name)
        loader = "".join(one.loader() for one in (self, *others))
        (folder / "function_app.py").write_text(f"{_HEAD}{loader}{_TAIL}")
        for part in ("functions", "shared", "host.json"):
            (folder / part).symlink_to(APP / part)
        (folder / "real_app.py").symlink_to(APP / "function_app.py")
        return folder

    def loader(self) -> str:
        """The source that replaces it."""
        if isinstance(self.by, str):
            other = pkgutil.resolve_name(self.by)
            assert other is not pkgutil.resolve_name(self.name), "a mutant that changes nothing"
            return _REPLACED.format(name=self.name, by=f"pkgutil.resolve_name({self.by!r})", imports="", source="")
        by, source = f"functools.partial({self.by.__name__}, real)", dedent(inspect.getsource(self.by))
        return _REPLACED.format(name=self.name, by=by, imports=_imports(self.by, source), source=source)


def _imports(function: Callable[..., Any], source: str) -> str:
    """The imports that the function needs, besides those for its annotations, which nobody reads."""
    (defined,) = ast.parse(source).body
    assert isinstance(defined, ast.FunctionDef)
    code = function.__code__
    assert not code.co_freevars, f"{', '.join(code.co_freevars)}: only there in its test"
    used = {node.id for line in defined.body for node in ast.walk(line) if isinstance(node, ast.Name)}
    known = inspect.unwrap(function).__globals__
    return "\n".join(_import(name, known[name]) for name in sorted((used & known.keys()) - {*code.co_varnames}))


def _import(name: str, value: Any) -> str:
    if isinstance(value, ModuleType):
        return f"import {value.__name__} as {name}"
    home = getattr(value, "__module__", "tests.")
    assert not home.startswith("tests."), f"{name}: only there in its test"
    return f"from {home} import {value.__qualname__} as {name}"
