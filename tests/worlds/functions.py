"""The functions of the app as they are registered; the library lists them once in a process."""

from functools import cache
from typing import Any

from function_app import app


@cache
def registered_functions() -> tuple[Any, ...]:
    """Every function of the app."""
    return tuple(app.get_functions())
