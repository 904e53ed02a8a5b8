"""The contracts of pyproject.toml on what may import what: each is broken by an import that it is there to refuse."""

import tomllib
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import grimp
import pytest
from importlinter.configuration import configure
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.layers import LayersContract

ROOT = Path(__file__).parents[1]
LINTER = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
TYPES = {"layers": LayersContract, "forbidden": ForbiddenContract}
REFUSED = {
    "Imports point downward": ("shared.adapters.azure.clusters", "functions.trust.rotation"),
    "The domain's rooms stand on floors": ("shared.domain.trust.rounds", "shared.domain.restores.verification"),
    "What every mesh shares knows no mesh": ("shared.domain.trust.plan", "shared.domain.trust.linkerd.waves"),
    "Adapters stand on those of Azure and Kubernetes": (
        "shared.adapters.kubernetes.api",
        "shared.adapters.azure.clusters",
    ),
    "Flows stand on the engine, and beside each other": ("functions.restores.watch", "functions.trust.rotation"),
    "Vaults know nothing of rotations": ("functions.vaults.steps", "functions.trust.fleet_steps"),
    "A rotation meets a mesh in one table alone": ("functions.trust.linkerd.phases", "functions.trust.rotation"),
    "The engine's room alone knows the engine": ("functions.trust.by_hand", "durabletask"),
    "The domain is pure": ("shared.domain.trust.rounds", "asyncio"),
    "Flows log signals, and nothing past them": ("functions.trust.rotation", "logging"),
    "Only adapters import SDKs": ("functions.api", "aiohttp"),
    "The simulated cloud knows nothing of what runs in it": ("local.cloud.wire", "shared.domain.errors"),
    "The simulated cloud stands on floors": ("local.cloud.arm", "local.cloud.resources.aks"),
    "A simulated cluster knows no mesh": ("local.cloud.kubernetes.api", "local.cloud.linkerd.mesh"),
    "Nothing deployed needs what runs it locally": ("shared.wiring.rotator", "local.stage"),
}


@cache
def imports() -> grimp.ImportGraph:
    configure()
    return grimp.build_graph(*LINTER["root_packages"], include_external_packages=True, cache_dir=None)


def keeps(contract: dict[str, Any], graph: grimp.ImportGraph) -> bool:
    options = {k: str(v) if isinstance(v, bool) else v for k, v in contract.items() if k not in ("name", "type")}
    checked = TYPES[contract["type"]](contract["name"], LINTER, options).check(deepcopy(graph), verbose=False)
    return bool(checked.kept)


@pytest.mark.parametrize("contract", LINTER["contracts"], ids=lambda contract: str(contract["name"]))
def test_a_contract_holds_and_is_broken_by_what_it_refuses(contract: dict[str, Any]) -> None:
    graph, (importer, imported) = imports(), REFUSED[contract["name"]]
    assert keeps(contract, graph)
    graph.add_import(importer=importer, imported=imported)
    try:
        assert not keeps(contract, graph)
    finally:
        graph.remove_import(importer=importer, imported=imported)
