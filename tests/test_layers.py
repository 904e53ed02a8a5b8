"""What import-linter can't tell: `azure` is one package to it, but only adapters may import the SDKs in it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ABOVE_ADAPTERS = [
    *(ROOT / "functions").rglob("*.py"),
    ROOT / "function_app.py",
    *(ROOT / "shared").glob("*.py"),
]


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


@pytest.mark.parametrize(
    ("duty", "others"),
    [
        ("rotator", ("restores", "vaults")),
        ("provisioner", ("trust", "restores")),
        ("verifier", ("trust",)),
    ],
)
def test_a_flow_works_with_its_own_duty_alone(duty: str, others: tuple[str, ...]) -> None:
    files = [file for room in others for file in (ROOT / "functions" / room).rglob("*.py")]
    nodes = [(file, node) for file in files for node in ast.walk(ast.parse(file.read_text()))]
    assert len(nodes) > 1000
    assert [named(file) for file, node in nodes if isinstance(node, ast.Attribute) and node.attr == duty] == []


def test_what_every_mesh_shares_names_none() -> None:
    shared = [file for room in ("functions/trust", "shared/domain/trust") for file in (ROOT / room).glob("*.py")]
    assert len(shared) > 15
    named_in = [named(file) for file in shared if "linkerd" in file.read_text().lower()]
    assert sorted(named_in) == ["functions/trust/meshes.py", "shared/domain/trust/mesh.py"], "which list them"
