"""Tables of pages that follow from the code: each stands between two marks, and `make docs` writes what is between."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import msgspec
from msgspec import inspect

import shared.domain
from functions.routes import ROUTES, ApiRoute, Nothing
from local.docstrings import meanings
from shared.domain.documents import Document, Mark
from shared.domain.knobs import written
from shared.domain.policy import Knobs
from shared.domain.restores.rungs import LADDER, Rung

ROOT = Path(__file__).parent.parent


def filled(page: str, **tables: str) -> str:
    """A page of the repository with these tables between their marks; raises ValueError where a mark is missing."""
    text = (ROOT / page).read_text()
    for name, content in tables.items():
        before, begin, rest = text.partition(f"<!-- {name}: ")
        mark, _, inside = rest.partition("-->\n")
        _, end, after = inside.partition(f"<!-- end of {name} -->")
        if not end:
            raise ValueError(f"{page} has no marks for {name}")
        text = f"{before}{begin}{mark}-->\n\n{content}\n{end}{after}"
    return text


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of a page."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n".replace("| --- ", "|---").replace("|--- |", "|---|") for line in lines)


def policy_page() -> str:
    """docs/policy.md with the knobs of each section."""
    sections = {field.name: field.type for field in msgspec.structs.fields(Knobs)}
    return filled("docs/policy.md", **{name: knobs(section) for name, section in sections.items()})


def checks_table() -> str:
    """The ladder of checks."""
    head = ("check", "passes if", "otherwise", "what to do then")
    return table(head, [_rung(rung) for rung in LADDER])


def stored() -> list[Mark]:
    """Every kind of object that the domain keeps in the store, each declared beside what it is for."""
    modules = [import_module(found.name) for found in walk_packages(shared.domain.__path__, "shared.domain.")]
    declared = {id(each): each for module in modules for each in vars(module).values() if isinstance(each, Mark)}
    return list(declared.values())


def store_page() -> str:
    """docs/store.md with all that stands in the store."""
    head = ("path", "container", "what it says", "made of")
    rows = sorted((f"`{each.pattern}`", _container(each), each.says, _made_of(each)) for each in stored())
    return filled("docs/store.md", store=table(head, rows))


def _container(each: Mark) -> str:
    return "evidence" if each.evidence else "ledger"


def _made_of(each: Mark) -> str:
    if not isinstance(each, Document):
        return "a mark"
    return f"`{each.struct.__name__}` in `{each.struct.__module__}`" if each.struct is not datetime else "a time"


def readme() -> str:
    """README.md with the routes of the API."""
    return filled("README.md", routes=table(("call", "what it does"), [(f"`{_call(r)}`", r.does) for r in ROUTES]))


def api_page() -> str:
    """docs/api.md with the routes, and what each takes."""
    return filled("docs/api.md", routes="\n".join(map(_route, ROUTES)))


def _call(route: ApiRoute[Any, Any]) -> str:
    """A call as one would write it: what a query may have, and what a body must have, or the first that it may."""
    query = "&".join(f"{field.name}=…" for field in msgspec.structs.fields(route.query))
    fields = msgspec.structs.fields(route.body)
    body = ", ".join(f'"{f.name}": …' for f in [f for f in fields if f.required] or fields[:1])
    return f"{route.method} /api/{route.path}{query and '?'}{query}{body and f' {{{body}}}'}"


def _route(route: ApiRoute[Any, Any]) -> str:
    takes = [knobs(part, word) for word, part in (("query", route.query), ("body", route.body)) if part is not Nothing]
    return "\n".join(
        [f"### `{route.method} /api/{route.path}`\n", f"{route.does[0].upper()}{route.does[1:]}.\n", *takes]
    )


def _rung(rung: Rung) -> Sequence[str]:
    means = {"failure": "failed", "finding": "finding", "unknown": "inconclusive"}[rung.weight]
    return rung.name, rung.passes_if, "; ".join(filter(None, [means, rung.exception])), rung.advice


def knobs(section: type[msgspec.Struct], head: str = "knob") -> str:
    """The table of a section's knobs, and of what their lists are made of."""
    fields = inspect.type_info(section).fields  # type: ignore[attr-defined]  # a struct's info has them
    said = meanings(section)
    rows = [(f"`{f.encode_name}`", values(f.type), default(f), f"{said[f.name]}{former(f.type)}") for f in fields]
    below = [(f.encode_name, part) for f in fields if (part := listed(f.type))]
    parts = [f"\nEach of `{name}` has:\n\n{knobs(part)}" for name, part in below]
    return "".join([table((head, "value", "default", "meaning"), rows), *parts])


def values(type: Any) -> str:
    """Which values a knob takes."""
    extra = getattr(type, "extra", None) or {}
    bounds = [f"{name.replace('_', ' ')} `{written(extra[name])}`" for name in ("at_least", "at_most") if name in extra]
    return " ".join([", ".join([_values(plain(type)), *bounds]), *([extra["unit"]] if "unit" in extra else [])])


def _values(type: Any) -> str:
    match type:
        case inspect.TimeDeltaType():
            return "duration"
        case inspect.BoolType():
            return "`true` or `false`"
        case inspect.LiteralType():
            return ", ".join(f"`{value}`" for value in type.values)
        case inspect.IntType() | inspect.FloatType():
            return f"{type.ge} or more" if type.le is None else f"{type.ge:g} to {type.le:g}"
        case inspect.VarTupleType():
            item = _values(plain(type.item_type))
            return "list" if listed(type) else "list of texts" if item == "text" else f"list of {item}"
    return "text"


def default(field: inspect.Field) -> str:
    """What holds for a knob that isn't set."""
    if field.required:
        return "required"
    unset = (getattr(field.type, "extra", None) or {}).get("unset", "none")
    if field.default in (None, "", ()):
        return str(unset)
    if isinstance(field.default, tuple):
        return "all"
    shown = written(field.default) if isinstance(field.default, timedelta) else _json(field.default)
    return f"`{shown}`"


def former(type: Any) -> str:
    """The former name of a knob, if it has one."""
    extra = getattr(type, "extra", None) or {}
    return f" Its former name `{extra['formerly']}` is still taken." if "formerly" in extra else ""


def plain(type: Any) -> Any:
    """The type itself, without what is said of it and without null."""
    inner = type.type if isinstance(type, inspect.Metadata) else type
    if isinstance(inner, inspect.UnionType):
        return plain(next(t for t in inner.types if not isinstance(t, inspect.NoneType)))
    return inner


def listed(type: Any) -> Any:
    """The struct that a list is made of, if it is one."""
    item = plain(getattr(plain(type), "item_type", None))
    return item.cls if isinstance(item, inspect.StructType) else None


def _json(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
