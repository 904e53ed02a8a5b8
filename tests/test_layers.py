"""What import-linter can't tell: `azure` is one package to it, but only adapters may import the SDKs in it; and where
what tests share may be.
"""

import ast
import re
import subprocess
import sys
import tomllib
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


def test_a_cold_start_imports_no_sdk() -> None:
    """The wiring imports an adapter, and with it the SDK, when a flow first asks for it."""
    start = "import sys, function_app; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", start], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "functions.vaults.steps" in run.stdout.split()
    heavy = ("azure.core", "azure.identity", "azure.mgmt", "azure.monitor", "obstore", "jwt", "aiohttp", "yaml")
    assert [name for name in run.stdout.split() if name.startswith(heavy)] == []


@pytest.mark.parametrize(
    ("duty", "others"),
    [
        ("rotator", ("restores", "vaults")),
        ("provisioner", ("trust", "restores")),
        ("verifier", ("trust",)),
    ],
)
def test_a_flow_uses_the_services_of_its_own_duty_alone(duty: str, others: tuple[str, ...]) -> None:
    files = [file for room in others for file in (ROOT / "functions" / room).rglob("*.py")]
    nodes = [(file, node) for file in files for node in ast.walk(ast.parse(file.read_text()))]
    assert len(nodes) > 1000
    assert [named(file) for file, node in nodes if isinstance(node, ast.Attribute) and node.attr == duty] == []


def test_every_folder_of_code_is_a_package_so_that_import_linter_sees_it() -> None:
    folders = {file.parent for tree in ("functions", "shared", "local") for file in (ROOT / tree).rglob("*.py")}
    assert len(folders) > 20
    app = ROOT / "local" / "empty_app"  # nobody imports it: a host of Functions runs it
    assert [named(folder) for folder in folders - {app} if not (folder / "__init__.py").exists()] == []


def test_the_simulated_cloud_imports_nothing_that_runs_in_it() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    contracts = {contract["name"]: contract for contract in tools["importlinter"]["contracts"]}
    forbidden = contracts["The simulated cloud knows nothing of what runs in it"]["forbidden_modules"]
    packages = {file.parent for file in (ROOT / "local").glob("*/__init__.py")} - {ROOT / "local" / "cloud"}
    modules = {*packages, *(ROOT / "local").glob("*.py")} - {ROOT / "local" / "__init__.py"}
    assert len(modules) > 15
    assert sorted(forbidden) == sorted({"functions", "shared", *(f"local.{module.stem}" for module in modules)})


def wired(file: Path) -> set[str]:
    """What the file takes from the wiring while it runs; types alone give no adapter."""
    tree = ast.parse(file.read_text())
    checked = [n for n in ast.walk(tree) if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    types = {each for node in checked for each in ast.walk(node)}
    nodes = [n for n in ast.walk(tree) if n not in types]
    froms = [n for n in nodes if isinstance(n, ast.ImportFrom)]
    modules = {alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names}
    modules |= {n.module or "" for n in froms}
    named_in = {alias.name for node in froms if node.module == "shared.wiring" for alias in node.names}
    return named_in | {name for name in modules if name.startswith("shared.wiring.")}


def test_a_flow_gets_its_adapters_from_the_services_alone() -> None:
    files = [*(ROOT / "functions").rglob("*.py"), ROOT / "function_app.py"]
    found = {named(file): names for file in files if (names := wired(file))}
    assert len(found) > 20
    assert {file: names for file, names in found.items() if names != {"services"}} == {}


@pytest.mark.parametrize("line", ["from shared.wiring.rotator import Rotator", "import shared.wiring.rotator as hands"])
def test_an_adapter_from_elsewhere_is_found(line: str, tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(f"from shared.wiring import services\n{line}\n")
    assert wired(tmp_path / "flow.py") == {"services", "shared.wiring.rotator"}


def test_code_that_every_mesh_shares_names_no_mesh() -> None:
    shared = [file for room in ("functions/trust", "shared/domain/trust") for file in (ROOT / room).glob("*.py")]
    assert len(shared) > 15
    named_in = [named(file) for file in shared if "linkerd" in file.read_text().lower()]
    assert sorted(named_in) == ["functions/trust/meshes.py", "shared/domain/trust/mesh.py"], "which list them"


# What is split at slashes, or joined by them, and is no resource id.
NO_IDS = {
    "shared/adapters/azure/scope.py": {'split("/")': "a URL, of which each part is checked"},
    "shared/adapters/azure/ledger.py": {'partition("/")': "the store's URL"},
    "shared/adapters/kubernetes/api.py": {'"/".join': "a path of a Kubernetes API"},
    "shared/adapters/kubernetes/kinds.py": {
        '"/".join': "what a permission is about, in words",
        'rpartition("/")': "group and version of a Kubernetes API",
    },
    "shared/adapters/kubernetes/owners.py": {'partition("/")': "group and version of a Kubernetes API"},
    "shared/domain/resource_id.py": {"*": "the grammar"},
    "shared/domain/restores/filters.py": {'split("/")': "group, version and kind of a Kubernetes API"},
    "shared/domain/restores/items.py": {'partition("/")': "namespace and name of a Kubernetes object"},
    "shared/domain/restores/lease.py": {'rpartition("/")': "a path in the ledger"},
    "shared/domain/restores/manifest.py": {'rpartition("/")': "a path in the ledger"},
    "shared/domain/vaults/machines.py": {'"/".join': "a label for people"},
    "shared/domain/trust/linkerd/waves.py": {'partition("/")': "kind and name of a workload"},
    "shared/domain/selftest.py": {'partition("/")': "the store's URL"},
    "shared/settings.py": {'split("://")': "a URL", 'split("/")': "a URL"},
}
SPLITS = {"split", "rsplit", "partition", "rpartition", "index", "find", "removeprefix", "removesuffix"}
# A segment of Resource Manager's own, or one in the camel case of its types, in what is put together.
PATH = re.compile(r"/(subscriptions|resourcegroups|providers)(/|$)|/(?-i:[a-z]+[A-Z]\w*)(/|$)", re.IGNORECASE)


def by_hand(tree: ast.AST) -> set[str]:
    """How resource ids may be taken apart or put together here without the grammar."""
    return {*filter(None, map(_taken_apart, ast.walk(tree))), *filter(None, map(_put_together, ast.walk(tree)))}


def _taken_apart(node: ast.AST) -> str:
    match node:
        case (
            ast.Call(func=ast.Attribute(attr=how), args=[ast.Constant(value=str(at)), *_])
            | ast.Call(func=ast.Attribute(attr=how), keywords=[ast.keyword(value=ast.Constant(value=str(at))), *_])
        ):
            return f'{how}("{at}")' if (how in SPLITS and at.startswith("/")) or at == "://" else ""
    return ""


def _put_together(node: ast.AST) -> str:
    match node:
        case ast.JoinedStr(values=parts):
            texts = [str(part.value) for part in parts if isinstance(part, ast.Constant)]
            return next((f'f"{text}"' for text in texts if PATH.search(text)), "")
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format")):
            return f'"{text}"' if PATH.search(text) else ""
        case ast.Call(func=ast.Attribute(value=ast.Constant(value="/"), attr="join")):
            return '"/".join'
        case ast.BinOp(op=ast.Add() | ast.Mod(), left=left, right=right):
            texts = [str(side.value) for side in (left, right) if isinstance(side, ast.Constant)]
            return next((f'"{text}"' for text in texts if PATH.search(text)), "")
    return ""


def allowed(file: Path, found: set[str]) -> set[str]:
    allowed = NO_IDS.get(named(file), {})
    return found if "*" in allowed else found & set(allowed)


IDS = [*(ROOT / "functions").rglob("*.py"), *(ROOT / "shared").rglob("*.py"), ROOT / "function_app.py"]


@pytest.mark.parametrize("file", sorted(IDS), ids=named)
def test_resource_ids_are_taken_apart_and_put_together_in_one_file(file: Path) -> None:
    found = by_hand(ast.parse(file.read_text()))
    assert found - allowed(file, found) == set()


def test_every_exception_for_resource_ids_is_needed() -> None:
    for name, allowed in NO_IDS.items():
        found = by_hand(ast.parse((ROOT / name).read_text()))
        assert set(allowed) <= found | {"*"}, name


@pytest.mark.parametrize(
    "code",
    [
        'id.split("/")[2]',
        'id.rsplit("/", 1)[-1]',
        'id.split(sep="/", maxsplit=2)',
        'id.lower().rpartition("/")',
        'id.partition("/backupInstances/")',
        'id[: id.index("/backupInstances/")]',
        'f"/subscriptions/{s}"',
        'f"/subscriptions/{s}/resourceGroups/{g}"',
        'f"{scope}/providers/Microsoft.Compute/disks/{name}"',
        'f"{vault}/backupInstances/{name}"',
        'f"{endpoint}/privateDnsZoneGroups/default"',
        'f"{topic}/eventSubscriptions"',
        '"/subscriptions/" + s',
        'vault + "/backupPolicies/" + name',
        '"/subscriptions/%s" % s',
        '"/".join(["", "subscriptions", s])',
        '"/subscriptions/{subscription}/providers".format(subscription=s)',
    ],
)
def test_an_id_that_is_handled_by_hand_is_found(code: str) -> None:
    assert by_hand(ast.parse(code))


@pytest.mark.parametrize(
    "code", ['text.split(",")', 'f"verdicts/{name}.json"', 'f"/api/instances/{id}"', 'f"{group}/{cluster}"', '"a/b"']
)
def test_texts_that_are_no_resource_ids_are_ignored(code: str) -> None:
    assert not by_hand(ast.parse(code))


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
def test_an_import_of_a_test_is_found(line: str, tmp_path: Path) -> None:
    (tmp_path / "test_new.py").write_text(line)
    assert imported_tests(tmp_path / "test_new.py")


def test_shared_set_up_is_in_worlds_and_a_conftest_has_only_fixtures() -> None:
    assert strays(TESTS) == []
    assert {
        named(file): shared_by_conftest(file) for file in TESTS.rglob("conftest.py") if shared_by_conftest(file)
    } == {}


def test_shared_set_up_elsewhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "small_mesh.py").touch()
    (tmp_path / "stage.py").touch()
    (tmp_path / "conftest.py").write_text("import pytest\ndef seed(): ...\n@pytest.fixture\ndef stage(): ...\n")
    assert (strays(tmp_path), shared_by_conftest(tmp_path / "conftest.py")) == (
        ["flows/small_mesh.py", "stage.py"],
        ["seed"],
    )
