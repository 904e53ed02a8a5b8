"""Who imports whom, read from sources: imports inside functions and for type checking alone count like all others."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

Imports = Mapping[str, set[str]]


def named(file: Path, root: Path) -> str:
    """The module that a file is."""
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources(root: Path, *packages: str) -> dict[str, str]:
    """The sources of all modules of these packages, which are folders or files below `root`, by module."""
    return {named(f, root): f.read_text() for p in packages for f in sorted((root / p).rglob("*.py"))}


def imports(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """What each module imports, whether it is among the sources or not; of a package's names those that are modules."""
    return {module: set(_imported(ast.parse(text), sources)) for module, text in sources.items()}


def _imported(tree: ast.Module, known: Mapping[str, str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute here"
            within = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from within & known.keys() or {str(node.module)}


def reached(graph: Imports, start: str) -> set[str]:
    """All that a module imports, by whatever way."""
    found: set[str] = set()
    ahead = set(graph.get(start, ()))
    while ahead:
        found |= ahead
        ahead = {further for module in ahead for further in graph.get(module, ())} - found
    return found


def circles(graph: Imports) -> list[set[str]]:
    """The groups of modules that import each other, each group once."""
    below = {module: reached(graph, module) for module in graph}
    found = [{other for other in below[module] if module in below.get(other, ())} for module in graph]
    return [circle for number, circle in enumerate(found) if circle and circle not in found[:number]]
