"""What Bicep files deploy, evaluated: every resource with its id and its body as literals.

It stands in for the compiler, which can't be had here, and for the part of Resource Manager that evaluates templates.
Rules:
- The parser is that of the Bicep checker beside the repository; this evaluates the language that infra/ uses.
- What only Azure can know (object ids, endpoints) is made up from the resource's id, always the same.
"""

import hashlib
import ipaddress
import json
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

CHECKER = Path(__file__).parents[3] / "shared" / "tools" / "bicep" / "bicep_check.py"
TENANT = "22222222-2222-4222-8222-222222222222"
_SETTINGS = ("parent", "scope", "dependsOn", "name")


@dataclass
class Resource:
    """A resource. `body` is what the file says of it, None for one that exists; `made` is false if a condition is."""

    id: str
    type: str
    api_version: str
    name: str
    body: dict[str, Any] | None
    children: dict[str, Any] = field(default_factory=dict)

    def read(self, name: str) -> Any:
        """A property, also one that only Azure knows."""
        known = {"id": self.id, "name": self.name, "type": self.type}
        if name in known:
            return known[name]
        if name in ("properties", "identity"):
            return Known(self, (self.body or {}).get(name) or {})
        return (self.body or {})[name] if name in (self.body or {}) else _made_up(self, name)


@dataclass
class Known:
    """A part of a resource's body, and what Azure adds to it."""

    resource: Resource
    said: Mapping[str, Any]

    def read(self, name: str) -> Any:
        return self.said[name] if name in self.said else _made_up(self.resource, name)


def _made_up(resource: Resource, name: str) -> Any:
    host = resource.name.rpartition("/")[2]
    made: dict[str, Any] = {
        "clientId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{resource.id}#client")),
        "principalId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{resource.id}#principal")),
        "primaryEndpoints": {"blob": f"https://{host}.blob.core.windows.net/"},
        "vaultUri": f"https://{host}.vault.azure.net/",
        "endpoint": f"https://{host}.westeurope-1.eventgrid.azure.net/api/events",
        "ConnectionString": "InstrumentationKey=00000000-0000-0000-0000-000000000000",
        "defaultHostName": f"{host}.azurewebsites.net",
        "location": "westeurope",
    }
    return made[name]


@dataclass(frozen=True)
class Scope:
    """Where a file is deployed: a subscription, or a resource group of it."""

    subscription: str
    group: str = ""

    @property
    def id(self) -> str:
        return f"/subscriptions/{self.subscription}" + (f"/resourceGroups/{self.group}" if self.group else "")

    def read(self, name: str) -> str:
        return {"id": self.id, "subscriptionId": self.subscription}[name]


def _id(at: "Scope | Resource", kind: str, name: str) -> str:
    if kind == "Microsoft.Resources/resourceGroups":
        return f"{at.id}/resourceGroups/{name}"
    return f"{at.id}/providers/{kind}/{name}"


class File:
    """One Bicep file with its parameters, at a scope; `resources` are its own and those of its modules."""

    def __init__(
        self, path: Path, params: Mapping[str, Any], scope: Scope, environ: Mapping[str, str] | None = None
    ) -> None:
        self._path, self._params, self._scope, self._environ = path, params, scope, environ or {}
        self._syntax = _parser().parse(path.read_text())
        self._declared = {s.name: s for s in self._syntax.statements if hasattr(s, "name")}
        self._values: dict[str, Any] = {}

    @cached_property
    def resources(self) -> list[Resource]:
        found: list[Resource] = []
        for statement in self._syntax.statements:
            kind = type(statement).__name__
            if kind in ("Resource", "Module"):
                for one in _flat(self.value(statement.name)):
                    found += one.resources if isinstance(one, File) else _with_children(one)
        return found

    def read(self, name: str) -> Any:
        """The outputs, as `outputs`."""
        assert name == "outputs"
        return {s.name: self._eval(s.value) for s in self._syntax.statements if type(s).__name__ == "Output"}

    def value(self, name: str) -> Any:
        """What a name of the file stands for."""
        if name not in self._values:
            self._values[name] = self._declare(self._declared[name])
        return self._values[name]

    def _declare(self, statement: Any) -> Any:
        match type(statement).__name__:
            case "Param":
                given = self._params.get(statement.name)
                return self._eval(statement.default) if given is None and statement.default else given
            case "Variable":
                return self._eval(statement.value)
            case "Resource":
                return self._each(statement.body, {}, lambda body, names: self._resource(statement, body, names))
            case "Module":
                return self._each(statement.body, {}, lambda body, names: self._module(statement, body, names))
        raise NotImplementedError(statement)

    def _each(self, body: Any, names: dict[str, Any], make: Callable[[Any, dict[str, Any]], Any]) -> Any:
        """A body, under its condition, as often as its loop says."""
        match type(body).__name__:
            case "For":
                return [self._each(body.body, inner, make) for inner in self._turns(body, names)]
            case "If":
                return self._each(body.body, names, make) if self._eval(body.cond, names) else None
        return make(body, names)

    def _turns(self, loop: Any, names: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for index, item in enumerate(self._eval(loop.source, names)):
            yield {**names, loop.item: item, **({loop.index: index} if loop.index else {})}

    def _module(self, statement: Any, body: Any, names: dict[str, Any]) -> "File":
        said = self._eval(body, names, leave=("dependsOn",))
        scope = said.get("scope", self._scope)
        if isinstance(scope, Resource):
            scope = Scope(scope.id.split("/")[2], scope.name)
        return File(self._path.parent / statement.path.text, said.get("params", {}), scope)

    def _resource(self, statement: Any, body: Any, names: dict[str, Any], parent: Resource | None = None) -> Resource:
        kind, _, version = statement.type.text.partition("@")
        said = self._eval(body, names, leave=("dependsOn",))
        parent = said.get("parent", parent)
        name, at = said["name"], said.get("scope", self._scope)
        if parent is not None:
            kind = kind if "/" in kind else f"{parent.type}/{kind}"
            id, full = f"{parent.id}/{kind.rpartition('/')[2]}/{name}", f"{parent.name}/{name}"
        else:
            id, full = _id(at, kind, name), name
        kept = None if statement.existing else {key: value for key, value in said.items() if key not in _SETTINGS}
        made = Resource(id, kind, version or (parent.api_version if parent else ""), full, kept)
        for child in body.resources:
            made.children[child.name] = self._each(child.body, names, partial(self._child, child, made))
        return made

    def _child(self, statement: Any, parent: Resource, body: Any, names: dict[str, Any]) -> Resource:
        return self._resource(statement, body, names, parent)

    def _eval(self, node: Any, names: Mapping[str, Any] | None = None, leave: tuple[str, ...] = ()) -> Any:
        """The value of an expression; `names` are those of loops and lambdas around it, `leave` is left out."""
        kind, known = type(node).__name__, names or {}
        if kind == "Var":
            return known[node.name] if node.name in known else self.value(node.name)
        if kind == "Object":
            said = [p for p in node.properties if p.name not in leave]
            keys = [p.name if p.name is not None else self._eval(p.key, known) for p in said]
            return {key: self._eval(p.value, known) for key, p in zip(keys, said, strict=True)}
        if kind == "Lambda":
            return lambda *args: self._eval(node.body, {**known, **dict(zip(node.params, args, strict=False))})
        if kind == "For":
            return [self._eval(node.body, inner) for inner in self._turns(node, dict(known))]
        if kind == "Call":
            return self._call(node.name, [self._eval(argument, known) for argument in node.args])
        return _SIMPLE[kind](node, lambda inner: self._eval(inner, known))

    def _call(self, name: str, args: list[Any]) -> Any:
        here = self._scope.subscription
        own: dict[str, Callable[..., Any]] = {
            "loadJsonContent": lambda path: json.loads((self._path.parent / path).read_text()),
            "readEnvironmentVariable": self._environ.get,
            "subscription": lambda id=here: Scope(id),
            "resourceGroup": lambda *at: Scope(*(at if len(at) > 1 else (here, *at))) if at else self._scope,
            "resourceId": lambda *at: (
                f"{Scope(*at[:-2]).id if at[:-2] else self._scope.id}/providers/{at[-2]}/{at[-1]}"
            ),
            "subscriptionResourceId": lambda kind, id: f"/subscriptions/{here}/providers/{kind}/{id}",
        }
        return (own.get(name) or FUNCTIONS[name])(*args)


def _string(node: Any, go: Callable[[Any], Any]) -> str:
    tail = [f"{_text(go(e))}{part}" for e, part in zip(node.exprs, node.parts[1:], strict=True)]
    return "".join([node.parts[0], *tail])


_SIMPLE: dict[str, Callable[[Any, Callable[[Any], Any]], Any]] = {
    "Str": _string,
    "Int": lambda node, _: node.value,
    "Bool": lambda node, _: node.value,
    "Null": lambda _node, _go: None,
    "Array": lambda node, go: [go(item) for item in node.items],
    "Member": lambda node, go: _member(go(node.base), node.name, safe=_safe(node), nested=node.nested),
    "Index": lambda node, go: go(node.base)[go(node.index)],
    "NonNull": lambda node, go: go(node.value),
    "Unary": lambda node, go: not go(node.value) if node.op == "!" else -go(node.value),
    "Binary": lambda node, go: _binary(node.op, go(node.left), lambda: go(node.right)),
    "Ternary": lambda node, go: go(node.then) if go(node.cond) else go(node.other),
}


def parameters(path: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """What a parameter file says under an environment."""
    file = File(path, {}, Scope(""), environ)
    return {s.name: file.value(s.name) for s in _parser().parse(path.read_text()).statements if hasattr(s, "default")}


def _with_children(one: Resource) -> list[Resource]:
    made = [one] if one.body is not None else []
    return made + [each for child in one.children.values() for inner in _flat(child) for each in _with_children(inner)]


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for one in value:
            yield from _flat(one)
    elif value is not None:
        yield value


def _safe(node: Any) -> bool:
    """Whether a chain of members ends where one of them, marked by `?`, is absent."""
    return type(node).__name__ == "Member" and (node.safe or _safe(node.base))


def _member(base: Any, name: str, *, safe: bool, nested: bool) -> Any:
    if base is None and safe:
        return None
    if nested:
        return base.children[name]
    if isinstance(base, dict):
        return base.get(name) if safe else base[name]
    return base.read(name)


def _binary(op: str, left: Any, right: Callable[[], Any]) -> Any:
    if op == "&&":
        return left and right()
    if op == "||":
        return left or right()
    if op == "??":
        return right() if left is None else left
    known: dict[str, Callable[[Any, Any], Any]] = {
        "==": lambda a, b: a == b,
        "!=": lambda a, b: a != b,
        "+": lambda a, b: a + b,
    }
    return known[op](left, right())


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _union(*all_: Any) -> Any:
    if isinstance(all_[0], list):
        return list(dict.fromkeys(one for each in all_ for one in each))
    return {name: value for each in all_ for name, value in each.items()}


def _unique(*texts: str) -> str:
    return hashlib.sha256("|".join(texts).encode()).hexdigest()[:13]


def _subnet(prefix: str, size: int, index: int) -> str:
    return str(list(ipaddress.ip_network(prefix).subnets(new_prefix=size))[index])


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "any": lambda value: value,
    "cidrSubnet": _subnet,
    "concat": lambda *lists: [one for each in lists for one in each],
    "contains": lambda container, one: one in container,
    "empty": lambda value: not value,
    "deployment": lambda: {"location": "westeurope"},
    "environment": lambda: {"suffixes": {"storage": "core.windows.net"}},
    "filter": lambda all_, keep: [one for one in all_ if keep(one)],
    "guid": lambda *texts: str(uuid.uuid5(uuid.NAMESPACE_URL, "|".join(texts))),
    "items": lambda value: [{"key": key, "value": value[key]} for key in sorted(value)],
    "join": lambda texts, between: between.join(texts),
    "last": lambda value: value[-1],
    "length": len,
    "map": lambda all_, change: [change(one) for one in all_],
    "replace": lambda text, old, new: text.replace(old, new),
    "split": lambda text, at: text.split(at),
    "string": lambda value: value if isinstance(value, str) else json.dumps(value),
    "substring": lambda text, start, length=None: text[start:] if length is None else text[start : start + length],
    "take": lambda value, count: value[:count],
    "tenant": lambda: {"tenantId": TENANT},
    "union": _union,
    "uniqueString": _unique,
}


def _parser() -> Any:
    sys.path[:0] = [str(CHECKER.parent)] if str(CHECKER.parent) not in sys.path else []
    from bicepcheck import parser  # type: ignore[import-not-found]

    return parser


def template(*files: File) -> dict[str, Any]:
    """The resources of files as one flat template of literals; `metadata` has their ids in the order of `resources`."""
    resources = [resource for file in files for resource in file.resources]
    outputs = {name: value for file in files for name, value in file.read("outputs").items()}
    made = [{"type": r.type, "apiVersion": r.api_version, "name": r.name, **(r.body or {})} for r in resources]
    return {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "metadata": {"ids": [resource.id for resource in resources]},
        "resources": made,
        "outputs": {name: {"type": "string", "value": value} for name, value in outputs.items()},
    }
