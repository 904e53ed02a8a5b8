"""What what-if leaves out: it skips a whole module that is named by what only the deployment will know.

The compiler's rule what-if-short-circuiting, which looks one module deep; here a parameter is followed through all.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.infra import syntax
from tests.infra.start import children, runtime
from tests.infra.syntax import Declaration, Expression, For, If, Name, ObjectLiteral, declarations

_NAMING = ("name", "scope", "parent")

type _Declared = Mapping[str, Declaration]


def short_circuits(path: Path) -> Iterator[str]:
    """Parameters of modules that name something there and hold a runtime value here."""
    known = {each.name: each for each in declarations(path)}
    for module in (each for each in known.values() if each.kind == "module"):
        naming = _naming(path.parent / module.text)
        for name, value in _params(module):
            if name in naming and (found := runtime(value, known)):
                yield f"{path.name}: {module.name} is named by {name}, which is {found}"


def _naming(path: Path) -> set[str]:
    """The parameters of a file that say what is made: names, scopes, conditions, loops."""
    known = {each.name: each for each in declarations(path)}
    made = [each for each in known.values() if each.kind in ("resource", "module")]
    used = [part for each in made for part in _said(each.value)]
    for module in (each for each in made if each.kind == "module"):
        naming = _naming(path.parent / module.text)
        used += [value for name, value in _params(module) if name in naming]
    return {name for part in used for name in _parameters(part, known)}


def _said(body: Expression | None) -> Iterator[Expression]:
    match body:
        case For(_, over, inner):
            yield over
            yield from _said(inner)
        case If(condition, inner):
            yield condition
            yield from _said(inner)
        case ObjectLiteral(entries, nested):
            yield from (value for key, value in entries if key in [syntax.TextLiteral([word]) for word in _NAMING])
            for child in nested:
                yield from _said(child.value)


def _params(module: Declaration) -> Iterator[tuple[str, Expression]]:
    body = module.value
    while isinstance(body, For | If):
        body = body.body
    assert isinstance(body, ObjectLiteral)
    for key, value in body.entries:
        if key == syntax.TextLiteral(["params"]) and isinstance(value, ObjectLiteral):
            yield from (
                (str(name.parts[0]), each) for name, each in value.entries if isinstance(name, syntax.TextLiteral)
            )


def _parameters(node: Any, known: _Declared) -> Iterator[str]:
    """The parameters that an expression reads, also by way of variables."""
    if isinstance(node, Name) and (declared := known.get(node.name)):
        if declared.kind == "param":
            yield node.name
        elif declared.kind == "var":
            yield from _parameters(declared.value, known)
    for child in children(node):
        yield from _parameters(child, known)
