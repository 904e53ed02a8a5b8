"""What the compiler refuses because a deployment must know it at its start, by the compiler's own codes.

Rules:
- What a loop runs over (BCP178), the condition of a resource or module (BCP177) and their names (BCP120) are worked out
  before anything is deployed. Of a resource its id, name, type and apiVersion are known then, of a module its name.
- A variable is what it stands for: a loop over an object that holds a runtime value anywhere is refused.
- A nested resource can't stand in a looped one (BCP160).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from tests.infra import syntax
from tests.infra.syntax import Declaration, Expression, For, FunctionCall, If, Lambda, MemberAccess, Name, ObjectLiteral

_KNOWN = {"resource": {"id", "name", "type", "apiVersion"}, "module": {"name"}}

type _Declared = Mapping[str, Declaration]


def refusals(declared: Sequence[Declaration]) -> Iterator[str]:
    """What the compiler says of a file, a code first."""
    known = {each.name: each for each in declared}
    for each in declared:
        for part in _parts(each.value):
            if isinstance(part, For) and (found := runtime(part.over, known)):
                yield f"BCP178: a loop over {found}"
        if each.kind in ("resource", "module"):
            yield from _of_body(each, each.value, known)


def _of_body(each: Declaration, body: Expression | None, known: _Declared) -> Iterator[str]:
    looped = isinstance(body, For)
    body = body.body if isinstance(body, For) else body
    if isinstance(body, If):
        if found := runtime(body.condition, known):
            yield f"BCP177: {each.name} on condition of {found}"
        body = body.body
    assert isinstance(body, ObjectLiteral)
    for key, value in body.entries:
        if key == syntax.TextLiteral(["name"]) and not each.existing and (found := runtime(value, known)):
            yield f"BCP120: {each.name} named by {found}"
    for child in body.nested:
        if looped:
            yield f"BCP160: {child.name} in the looped {each.name}"
        yield from _of_body(child, child.value, known)


def runtime(node: Any, known: _Declared) -> str:
    """What in an expression only the deployment will know; empty if nothing."""
    match node:
        case MemberAccess(of, _, name) if kind := _symbol(of, known):
            return "" if name in _KNOWN[kind] else f"{kind} {name}"
        case Name(word) if word in known:
            declared = known[word]
            return runtime(declared.value, known) if declared.kind == "var" else word * (declared.kind in _KNOWN)
        case FunctionCall(name, _) if name == "reference" or name.startswith("list"):
            return f"{name}()"
        case For(names, over, body):
            return runtime(over, known) or runtime(body, _without(known, names))
        case Lambda(names, body):
            return runtime(body, _without(known, names))
    return next((found for child in children(node) if (found := runtime(child, known))), "")


def _symbol(node: Expression, known: _Declared) -> str:
    """Whether an expression names a resource or a module, also one of a loop or nested in another."""
    while isinstance(node, syntax.Index) or (isinstance(node, MemberAccess) and node.by == "::"):
        node = node.of
    found = known.get(node.name) if isinstance(node, Name) else None
    return found.kind if found and found.kind in _KNOWN else ""


def _without(known: _Declared, names: list[str]) -> _Declared:
    return {name: each for name, each in known.items() if name not in names}


def _parts(node: Any) -> Iterator[Any]:
    yield node
    for child in children(node):
        yield from _parts(child)


def children(node: Any) -> Iterator[Any]:
    """The nodes right below one, through lists and pairs."""
    if isinstance(node, list | tuple):
        for each in node:
            yield from children(each) if isinstance(each, list | tuple) else iter([each])
    elif is_dataclass(node):
        for field in fields(node):
            value = getattr(node, field.name)
            yield from children(value) if isinstance(value, list | tuple) else iter([value])
