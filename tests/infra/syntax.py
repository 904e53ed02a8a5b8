"""What Bicep files say, as plain nodes: declarations that have a value, and expressions.

Rules:
- tree-sitter-bicep finds declarations, texts and brackets. How words make an expression is decided here, because its
  grammar is wrong about that: it reads `!a.b` as `(!a).b`, `x => x.a` as `(x => x).a` and `[a().b]` as two items.
- What the grammar doesn't know is put in words that it knows first; what it can't read then raises SyntaxError.
- Types and decorators are left out: they say nothing of values.
"""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser


@dataclass(frozen=True)
class ValueLiteral:
    """A number, a boolean or null."""

    value: int | bool | None


@dataclass(frozen=True)
class Name:
    name: str


@dataclass(frozen=True)
class TextLiteral:
    parts: "list[str | Expression]"


@dataclass(frozen=True)
class Array:
    items: "list[Expression]"


@dataclass(frozen=True)
class ObjectLiteral:
    """`nested` are the resources that are declared in it."""

    entries: "list[tuple[Expression, Expression]]"
    nested: "list[Declaration]"


@dataclass(frozen=True)
class MemberAccess:
    """`by` is one of `.`, `.?` and `::`."""

    of: "Expression"
    by: str
    name: str


@dataclass(frozen=True)
class Index:
    of: "Expression"
    at: "Expression"


@dataclass(frozen=True)
class FunctionCall:
    name: str
    arguments: "list[Expression]"


@dataclass(frozen=True)
class Unary:
    operator: str
    operand: "Expression"


@dataclass(frozen=True)
class Binary:
    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True)
class Conditional:
    condition: "Expression"
    then: "Expression"
    other: "Expression"


@dataclass(frozen=True)
class Lambda:
    names: list[str]
    body: "Expression"


@dataclass(frozen=True)
class For:
    """`names` are those of the item and, if it has one, of the index."""

    names: list[str]
    over: "Expression"
    body: "Expression"


@dataclass(frozen=True)
class If:
    condition: "Expression"
    body: "Expression"


type Expression = (
    ValueLiteral
    | Name
    | TextLiteral
    | Array
    | ObjectLiteral
    | MemberAccess
    | Index
    | FunctionCall
    | Unary
    | Binary
    | Conditional
    | Lambda
    | For
    | If
)


@dataclass(frozen=True)
class Declaration:
    """`kind` is `param`, `var`, `func`, `resource`, `module`, `output` or `import`; `text` a type or a path."""

    kind: str
    name: str
    value: Expression | None
    text: str = ""
    existing: bool = False


_PARSER = Parser(Language(tree_sitter_bicep.language()))
_KNOWN_AS = {
    r"^extension \w+$": "",
    r"^param (\w+) =": r"param \1 any =",  # in parameter files, which give no types
    r"(\w)!(?=[,)])": r"\1",
}
_DECLARED = {f"{word}_declaration" for word in ("parameter", "variable", "resource", "module", "output")}
_DECLARED.add("user_defined_function")
_FIRST_LAST = (("??",), ("||",), ("&&",), ("==", "!="), ("<", "<=", ">", ">="), ("+", "-"), ("*", "/", "%"))
_OPERATIONS = {
    f"{word}_expression" for word in ("binary", "unary", "ternary", "lambda", "call", "member", "subscript", "resource")
}
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def declarations(path: Path) -> list[Declaration]:
    """What a file declares, in its order."""
    text = path.read_text()
    for unknown, known in _KNOWN_AS.items():
        text = re.sub(unknown, known, text, flags=re.MULTILINE)
    root = _PARSER.parse(text.encode()).root_node
    if root.has_error:
        raise SyntaxError(f"{path}: {'; '.join(_unread(root))}")
    made = [_declaration(node) for node in root.named_children if node.type in _DECLARED]
    return [*_imported(text), *made]


def _imported(text: str) -> Iterator[Declaration]:
    for names, path in re.findall(r"^import {([^}]*)} from '(.*)'$", text, re.MULTILINE):
        for name in re.findall(r"\w+", names):
            yield Declaration("import", name, None, path)


def _unread(node: Node) -> Iterator[str]:
    if node.is_error or node.is_missing:
        yield f"line {node.start_point.row + 1}: {_text(node) or f'{node.type} is missing'}"
    for child in node.children:
        yield from _unread(child)


def _text(node: Node) -> str:
    return (node.text or b"").decode()


def _children(node: Node) -> list[Node]:
    return [child for child in node.named_children if not child.type.endswith("comment")]


def _declaration(node: Node) -> Declaration:
    if node.type == "user_defined_function":
        return _function(node)
    marks = [child.type for child in node.children]
    value = _expression(node.children[marks.index("=") + 1]) if "=" in marks else None
    texts = [_text(child).strip("'") for child in node.children if child.type == "string"]
    named = _text(node.children[1])
    return Declaration(_text(node.children[0]), named, value, texts[0] if texts else "", "existing" in marks)


def _function(node: Node) -> Declaration:
    given = next(child for child in node.children if child.type == "parameters")
    names = [_text(each.children[0]) for each in _children(given)]
    return Declaration("func", _text(node.children[1]), Lambda(names, _expression(node.children[-1])))


def _expression(node: Node) -> Expression:
    (found,) = _read([node])
    return found


def _items(node: Node) -> list[Expression]:
    """What stands in brackets."""
    return _read(node.children[1:-1])


def _read(nodes: list[Node]) -> list[Expression]:
    words = deque(word for node in nodes for word in _words(node))
    found: list[Expression] = []
    while words:
        found.append(_choice(words))
    return found


def _words(node: Node) -> Iterator[Node]:
    """Operands and operators in their order, whatever the grammar holds together."""
    if node.type in _OPERATIONS:
        for child in node.children:
            yield from _words(child)
    elif node.type != "," and not node.type.endswith("comment"):
        yield node


def _choice(words: deque[Node]) -> Expression:
    condition = _binary(words)
    if not words or words[0].type != "?":
        return condition
    words.popleft()
    then = _choice(words)
    words.popleft()
    return Conditional(condition, then, _choice(words))


def _binary(words: deque[Node], level: int = 0) -> Expression:
    if level == len(_FIRST_LAST):
        return _unary(words)
    left = _binary(words, level + 1)
    while words and words[0].type in _FIRST_LAST[level]:
        left = Binary(words.popleft().type, left, _binary(words, level + 1))
    return left


def _unary(words: deque[Node]) -> Expression:
    if words[0].type in ("!", "-"):
        return Unary(words.popleft().type, _unary(words))
    if len(words) > 1 and words[1].type == "=>":
        names = re.findall(r"\w+", _text(words.popleft()))
        words.popleft()
        return Lambda(names, _choice(words))
    return _chain(words)


def _chain(words: deque[Node]) -> Expression:
    last = words.popleft()
    found = _operand(last)
    while words:
        touches = words[0].start_byte == last.end_byte
        match words[0].type:
            case "." | ".?" | "::":
                found = MemberAccess(found, words.popleft().type, _text(last := words.popleft()))
            case "[":
                words.popleft()
                found = Index(found, _choice(words))
                last = words.popleft()
            case "array" if touches:
                found = Index(found, *_items(last := words.popleft()))
            case "arguments" | "parenthesized_expression" if touches:
                assert isinstance(found, Name)
                found = FunctionCall(found.name, _items(last := words.popleft()))
            case "!":  # says that it isn't null
                last = words.popleft()
            case _:
                break
    return found


def _operand(node: Node) -> Expression:  # noqa: PLR0911 - one for each kind of node
    match node.type:
        case "identifier":
            return Name(_text(node))
        case "number":
            return ValueLiteral(int(_text(node)))
        case "boolean" | "null":
            return ValueLiteral({"true": True, "false": False, "null": None}[_text(node)])
        case "string" if not _text(node).startswith("'''"):
            return TextLiteral(list(_parts(node)))
        case "array":
            return Array(_items(node))
        case "object":
            return _object([_children(each) for each in _children(node)])
        case "parenthesized_expression" | "arguments":
            (inner,) = _items(node)
            return inner
        case "for_statement":
            return _loop(node)
        case "if_statement":
            condition, body = _children(node)
            return If(_expression(condition), _expression(body))
    raise NotImplementedError(f"{node.type}: {_text(node)}")


def _parts(node: Node) -> "Iterator[str | Expression]":
    whole, at = node.text or b"", 1
    for each in _children(node):
        if each.type == "interpolation":
            yield _unescaped(whole[at : each.start_byte - node.start_byte])
            yield _expression(_children(each)[0])
            at = each.end_byte - node.start_byte
    yield _unescaped(whole[at:-1])


def _unescaped(text: bytes) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text.decode())


def _object(entries: list[list[Node]]) -> ObjectLiteral:
    nested = [_declaration(each[0]) for each in entries if each[0].type in _DECLARED]
    pairs = [(_key(each[0]), _expression(each[1])) for each in entries if len(each) > 1]
    return ObjectLiteral(pairs, nested)


def _key(node: Node) -> Expression:
    return TextLiteral([_text(node)]) if node.type == "identifier" else _expression(node)


def _loop(node: Node) -> For:
    marks = [child.type for child in node.children]
    head, over = (node.children[marks.index(mark) + 1] for mark in ("for", "in"))
    body = node.child_by_field_name("body")
    assert body is not None
    return For(re.findall(r"\w+", _text(head)), _expression(over), _expression(body))
