"""What Bicep files deploy, evaluated: every resource with its id and its body as literals.

It stands in for the compiler, which can't be had here, and for the part of Resource Manager that evaluates templates.
Rules:
- It evaluates the language that infra/ uses, and raises for any other and for what the compiler refuses (Refused).
- What only Azure can know (object ids, endpoints) is made up from the resource's id, always the same.
"""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from tests.infra import syntax
from tests.infra.functions import FUNCTIONS
from tests.infra.start import refusals
from tests.infra.syntax import Declaration, Expression, Name, declarations

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


reborn: set[str] = set()  # groups that were removed and made again: their identities are others than before


def _made_up(resource: Resource, name: str) -> Any:
    host = resource.name.rpartition("/")[2]
    seed = resource.id + "#again" * any(f"/resourceGroups/{group}/" in resource.id for group in reborn)
    made: dict[str, Any] = {
        "clientId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{seed}#client")),
        "principalId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{seed}#principal")),
        "primaryEndpoints": {"blob": f"https://{host}.blob.core.windows.net/"},
        "vaultUri": f"https://{host}.vault.azure.net/",
        "endpoint": f"https://{host}.westeurope-1.eventgrid.azure.net/api/events",
        "ConnectionString": "InstrumentationKey=00000000-0000-0000-0000-000000000000",
        "location": "westeurope",
        "ipAddress": "203.0.113.7",
        "emailReceivers": [{"name": "mail0", "emailAddress": "ops@contoso.example", "status": "Enabled"}],
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


type _Names = Mapping[str, Any]


def _id(at: "Scope | Resource", kind: str, name: str) -> str:
    if kind == "Microsoft.Resources/resourceGroups":
        return f"{at.id}/resourceGroups/{name}"
    return f"{at.id}/providers/{kind}/{name}"


class CompilerRefused(ValueError):
    """The compiler wouldn't take the file."""


def _taken(path: Path) -> dict[str, Declaration]:
    declared = declarations(path)
    if refused := "; ".join(refusals(declared)):
        raise CompilerRefused(f"{path}: {refused}")
    return {each.name: each for each in declared}


class BicepFile:
    """One Bicep file with its parameters, at a scope; `resources` are its own and those of its modules."""

    def __init__(
        self, path: Path, params: Mapping[str, Any], scope: Scope, environ: Mapping[str, str] | None = None
    ) -> None:
        self._path, self._params, self._scope, self._environ = path, params, scope, environ or {}
        self._declared = _taken(path)
        self._values: dict[str, Any] = {}

    @cached_property
    def resources(self) -> list[Resource]:
        found: list[Resource] = []
        for name in self._of_kind("resource", "module"):
            for one in _flat(self.value(name)):
                found += one.resources if isinstance(one, BicepFile) else _with_children(one)
        return found

    @cached_property
    def parameters(self) -> dict[str, Any]:
        return {name: self.value(name) for name in self._of_kind("param")}

    def _of_kind(self, *kinds: str) -> list[str]:
        return [name for name, declared in self._declared.items() if declared.kind in kinds]

    def read(self, name: str) -> Any:
        """The outputs, as `outputs`."""
        assert name == "outputs"
        return {name: self.value(name) for name in self._of_kind("output")}

    def value(self, name: str) -> Any:
        """What a name of the file stands for."""
        if name not in self._values:
            self._values[name] = self._declare(self._declared[name])
        return self._values[name]

    def _declare(self, declared: Declaration) -> Any:
        match declared.kind:
            case "resource":
                return self._each(declared.value, {}, partial(self._resource, declared))
            case "module":
                return self._each(declared.value, {}, partial(self._module, declared))
            case "param" if self._params.get(declared.name) is not None or declared.value is None:
                return self._params.get(declared.name)
        return self._eval(declared.value, {})

    def _each(self, body: Expression | None, names: _Names, make: Callable[[Any, _Names], Any]) -> Any:
        """A body, under its condition, as often as its loop says."""
        match body:
            case syntax.For():
                return [self._each(body.body, inner, make) for inner in self._turns(body, names)]
            case syntax.If():
                return self._each(body.body, names, make) if self._eval(body.condition, names) else None
        return make(body, names)

    def _turns(self, loop: syntax.For, names: _Names) -> Iterator[_Names]:
        for index, item in enumerate(self._eval(loop.over, names)):
            yield {**names, **dict(zip(loop.names, (item, index), strict=False))}

    def _module(self, declared: Declaration, body: syntax.ObjectLiteral, names: _Names) -> "BicepFile":
        said = self._said(body, names)
        scope = said.get("scope", self._scope)
        if isinstance(scope, Resource):
            scope = Scope(scope.id.split("/")[2], scope.name)
        return BicepFile(self._path.parent / declared.text, said.get("params", {}), scope)

    def _resource(
        self, declared: Declaration, body: syntax.ObjectLiteral, names: _Names, parent: Resource | None = None
    ) -> Resource:
        kind, _, version = declared.text.partition("@")
        said = self._said(body, names)
        parent = said.get("parent", parent)
        name, at = said["name"], said.get("scope", self._scope)
        if parent is not None:
            kind = kind if "/" in kind else f"{parent.type}/{kind}"
            id, full = f"{parent.id}/{kind.rpartition('/')[2]}/{name}", f"{parent.name}/{name}"
        else:
            id, full = _id(at, kind, name), name
        kept = None if declared.existing else {key: value for key, value in said.items() if key not in _SETTINGS}
        made = Resource(id, kind, version or (parent.api_version if parent else ""), full, kept)
        for child in body.nested:
            made.children[child.name] = self._each(child.value, names, partial(self._resource, child, parent=made))
        return made

    def _said(self, body: syntax.ObjectLiteral, names: _Names) -> dict[str, Any]:
        """What a body says, but for what only orders the deployment."""
        said = [(self._eval(key, names), value) for key, value in body.entries]
        return {key: self._eval(value, names) for key, value in said if key != "dependsOn"}

    def _eval(self, node: Expression | None, names: _Names) -> Any:
        """The value of an expression; `names` are those of loops and lambdas around it."""
        go = partial(self._eval, names=names)
        match node:
            case Name():
                return names[node.name] if node.name in names else self.value(node.name)
            case syntax.Lambda():
                return lambda *args: self._eval(node.body, {**names, **dict(zip(node.names, args, strict=False))})
            case syntax.For():
                return [self._eval(node.body, inner) for inner in self._turns(node, names)]
            case syntax.FunctionCall():
                return self._call(node.name, [go(argument) for argument in node.arguments])
        return _simple(node, go)

    def _call(self, name: str, args: list[Any]) -> Any:
        here = self._scope.subscription
        own: dict[str, Callable[..., Any]] = {
            "loadJsonContent": lambda path: json.loads((self._path.parent / path).read_text()),
            "readEnvironmentVariable": lambda name, *other: (
                self._environ.get(name, *other) if other else self._environ[name]
            ),
            "subscription": lambda id=here: Scope(id),
            "resourceGroup": lambda *at: Scope(*(at if len(at) > 1 else (here, *at))) if at else self._scope,
            "resourceId": lambda *at: (
                f"{Scope(*at[:-2]).id if at[:-2] else self._scope.id}/providers/{at[-2]}/{at[-1]}"
            ),
            "subscriptionResourceId": lambda kind, id: f"/subscriptions/{here}/providers/{kind}/{id}",
        }
        return (self._function(name) or own.get(name) or FUNCTIONS[name])(*args)

    def _function(self, name: str) -> Callable[..., Any] | None:
        """A function that the file declares or imports, if it has one of that name."""
        match self._declared.get(name):
            case Declaration("func", _, body):
                function: Callable[..., Any] = self._eval(body, {})
                return function
            case Declaration("import", text=path):
                return BicepFile(self._path.parent / path, {}, self._scope)._function(name)
        return None


def _simple(node: Expression | None, go: Callable[[Expression], Any]) -> Any:  # noqa: PLR0911 - one for each kind of node
    match node:
        case syntax.ValueLiteral(value):
            return value
        case syntax.TextLiteral(parts):
            return "".join(part if isinstance(part, str) else _text(go(part)) for part in parts)
        case syntax.Array(items):
            return [go(item) for item in items]
        case syntax.ObjectLiteral(entries):
            return {go(key): go(value) for key, value in entries}
        case syntax.MemberAccess():
            return _member(go(node.of), node)
        case syntax.Index(of, at):
            return go(of)[go(at)]
        case syntax.Unary(operator, operand):
            return not go(operand) if operator == "!" else -go(operand)
        case syntax.Binary(operator, left, right):
            return _binary(operator, go(left), lambda: go(right))
        case syntax.Conditional(condition, then, other):
            return go(then) if go(condition) else go(other)
    raise NotImplementedError(node)


def parameters(path: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """What a parameter file says under an environment."""
    return BicepFile(path, {}, Scope(""), environ).parameters


def _with_children(one: Resource) -> list[Resource]:
    made = [one] if one.body is not None else []
    return made + [each for child in one.children.values() for inner in _flat(child) for each in _with_children(inner)]


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for one in value:
            yield from _flat(one)
    elif value is not None:
        yield value


def _may_be_absent(node: Expression) -> bool:
    """Whether a chain of members ends where one of them, marked by `?`, is absent."""
    return isinstance(node, syntax.MemberAccess) and (node.by == ".?" or _may_be_absent(node.of))


def _member(of: Any, node: syntax.MemberAccess) -> Any:
    if of is None and _may_be_absent(node):
        return None
    if node.by == "::":
        return of.children[node.name]
    if isinstance(of, dict):
        return of.get(node.name) if _may_be_absent(node) else of[node.name]
    return of.read(node.name)


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


def template(*files: BicepFile) -> dict[str, Any]:
    """The resources of files as one flat template of literals; `metadata` has their ids in the order of
    `resources`, and the ids in Entra of the identities that they are or get."""
    resources = [resource for file in files for resource in file.resources]
    outputs = {name: value for file in files for name, value in file.read("outputs").items()}
    made = [{"type": r.type, "apiVersion": r.api_version, "name": r.name, **(r.body or {})} for r in resources]
    identities = {id: known for r in resources for id, known in _identity(r)}
    return {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "metadata": {
            "ids": [resource.id for resource in resources],
            "identities": identities,
        },
        "resources": made,
        "outputs": {name: {"type": "string", "value": value} for name, value in outputs.items()},
    }


def _identity(resource: Resource) -> Iterator[tuple[str, dict[str, str]]]:
    own = resource.type == "Microsoft.ManagedIdentity/userAssignedIdentities"
    if own or (resource.body or {}).get("identity") == {"type": "SystemAssigned"}:
        yield resource.id, {name: _made_up(resource, name) for name in ("principalId", "clientId")}
