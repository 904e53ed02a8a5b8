"""One thing of the app replaced for a while, wherever it is used: what an exploration then shows is what it is for."""

import pkgutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_ROOMS = ("functions.trust", "functions.engine", "shared.domain", "shared.wiring", "local.explorer")


@contextmanager
def replaced(name: str, by: Any) -> Iterator[None]:
    """What has this qualified name is `by` in every module that uses it; the name has to be there."""
    real = pkgutil.resolve_name(name)
    homes = [module for title, module in list(sys.modules.items()) if title.startswith(_ROOMS)]
    places = [(home, key) for home in homes for key, value in vars(home).items() if value is real]
    owner, _, attribute = name.rpartition(".")
    if isinstance(holder := pkgutil.resolve_name(owner), type):
        places.append((holder, attribute))  # type: ignore[arg-type]
    for home, key in places:
        setattr(home, key, by)
    try:
        yield
    finally:
        for home, key in places:
            setattr(home, key, real)


@contextmanager
def changed(table: dict[Any, Any], **to: Any) -> Iterator[None]:
    """A table of the app with its rows replaced by those of `to["rows"]`."""
    before = dict(table)
    table.clear()
    table.update(to["rows"])
    try:
        yield
    finally:
        table.clear()
        table.update(before)
