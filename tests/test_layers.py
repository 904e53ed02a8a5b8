"""What import-linter can't tell: `azure` is one package to it, but only adapters may import the SDKs in it; and where
what tests share may be.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ABOVE_ADAPTERS = [
    *(ROOT / "functions").rglob("*.py"),
    ROOT / "function_app.py",
    *(ROOT / "shared").glob("*.py"),
]
TESTS = ROOT / "tests"
MIRRORS = ("adapters", "cloud", "domain", "flows", "host", "local")  # of the tree: they hold tests alone
APPS = TESTS / "host" / "apps"


def named(file: Path) -> str:
    return str(file.relative_to(ROOT))


def imported(file: Path) -> set[str]:
    """Every module that the file imports, anywhere in it."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize("file", ABOVE_ADAPTERS, ids=named)
def test_only_adapters_import_azure_sdks(file: Path) -> None:
    model = {"azure.functions", "azure.durable_functions"}
    credential_type = {"azure.core.credentials_async"}  # a type, never imported when the app runs
    found = {name for name in imported(file) if name.split(".")[0] == "azure"}
    assert found <= model | credential_type


@pytest.mark.parametrize(
    "file", sorted((ROOT / "shared" / "adapters").rglob("*.py")), ids=lambda file: str(file.relative_to(ROOT))
)
def test_an_adapter_imports_its_sdk_where_it_uses_it(file: Path) -> None:
    tree = ast.parse(file.read_text())
    at_import_time = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in at_import_time for alias in node.names} | {
        str(node.module) for node in at_import_time if isinstance(node, ast.ImportFrom)
    }
    heavy = ("azure.", "obstore", "jwt", "aiohttp")
    assert not [name for name in names if name.startswith(heavy)]


def is_test(name: str) -> bool:
    return name.startswith("test_") or name == "conftest"


def imported_tests(file: Path) -> list[str]:
    """The modules of tests and fixtures that the file imports, as it says it."""
    froms = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom)]
    whole = imported(file) | {f"{node.module or ''}.{alias.name}" for node in froms for alias in node.names}
    return sorted(name for name in whole if is_test(name.rpartition(".")[2]))


def strays(tests: Path) -> list[str]:
    """Modules among tests that are none: what they hold belongs to a world."""
    found = [file for room in MIRRORS for file in (tests / room).rglob("*.py") if APPS not in file.parents]
    found += tests.glob("*.py")
    return [str(file.relative_to(tests)) for file in found if not is_test(file.stem) and file.stem != "__init__"]


def shared_by_conftest(file: Path) -> list[str]:
    """What a conftest defines besides fixtures and hooks."""
    defined = [n for n in ast.parse(file.read_text()).body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    fixtures = [n for n in defined if any("fixture" in ast.unparse(decorator) for decorator in n.decorator_list)]
    return [n.name for n in defined if n not in fixtures and not n.name.startswith("pytest_")]


def test_no_module_imports_a_test_or_a_conftest() -> None:
    found = {named(file): imported_tests(file) for file in TESTS.rglob("*.py")}
    assert {file: names for file, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "line",
    [
        "from tests.flows.test_roles import named",
        "from tests.flows import plans, test_roles",
        "import tests.flows.test_roles",
        "from .test_roles import named",
        "from . import test_roles",
        "from tests.flows.conftest import stage",
        "def late():\n    from tests import conftest",
    ],
)
def test_such_an_import_is_seen(line: str, tmp_path: Path) -> None:
    (tmp_path / "test_new.py").write_text(line)
    assert imported_tests(tmp_path / "test_new.py")


def test_what_tests_share_is_in_worlds_and_fixtures_alone_in_a_conftest() -> None:
    assert strays(TESTS) == []
    assert {
        named(file): shared_by_conftest(file) for file in TESTS.rglob("conftest.py") if shared_by_conftest(file)
    } == {}


def test_what_is_elsewhere_is_seen(tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "small_mesh.py").touch()
    (tmp_path / "stage.py").touch()
    (tmp_path / "conftest.py").write_text("import pytest\ndef seed(): ...\n@pytest.fixture\ndef stage(): ...\n")
    assert (strays(tmp_path), shared_by_conftest(tmp_path / "conftest.py")) == (
        ["flows/small_mesh.py", "stage.py"],
        ["seed"],
    )
