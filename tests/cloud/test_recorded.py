"""The simulated vaults answer as recorded traffic of the real ones does, where a specification leaves it open."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.dataprotection.aio import DataProtectionMgmtClient

from local.cloud.clock import Clock
from local.cloud.resources.kusto import parse
from local.cloud.resources.resource_graph import COLUMNS
from local.cloud.vaults import immutability_of, rating
from local.cloud.world import World
from tests.oracle.conformance import JudgeMissing, conformance_data
from tests.worlds import sdk

SHARE = "AzureFileShareProtectedItem"
VAULT: dict[str, Any] = {"resource_group_name": "rg-backup", "vault_name": "bv-one"}


@pytest.fixture(scope="session")
def exchanges() -> list[dict[str, Any]]:
    """All recorded exchanges that are kept whole, or a skip that says what is missing."""
    try:
        lines = (conformance_data() / "recordings" / "exchanges.jsonl").read_text().splitlines()
    except JudgeMissing as missing:
        pytest.skip(str(missing))
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="session")
def recorded(exchanges: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All recorded resources."""
    return [row for exchange in exchanges for row in resources(exchange["body"])]


def resources(body: Any) -> Iterator[dict[str, Any]]:
    """What of an answer has properties, wherever it stands."""
    if isinstance(body, dict) and isinstance(body.get("properties"), dict):
        yield body
    for inner in body.values() if isinstance(body, dict) else body if isinstance(body, list) else ():
        yield from resources(inner)


def test_backup_vaults_are_rated_as_recorded(recorded: list[dict[str, Any]]) -> None:
    vaults = [r["properties"] for r in recorded if r.get("type") == "Microsoft.DataProtection/BackupVaults"]
    vaults += [r["properties"] for r in recorded if r.get("type") == "Microsoft.DataProtection/backupVaults"]
    rated = [v for v in vaults if "secureScore" in v]
    assert len(rated) > 30
    for vault in rated:
        security, score = (
            vault["securitySettings"],
            {name: vault[name] for name in ("secureScore", "bcdrSecurityLevel")},
        )
        assert rating(security["softDeleteSettings"]["state"], immutability_of(security)) == score


async def test_shares_have_the_fields_of_their_state_as_recorded(recorded: list[dict[str, Any]], world: World) -> None:
    items = [r["properties"] for r in recorded if r["properties"].get("protectedItemType") == SHARE]
    world.file_shares.create("stdata", "orders")
    item = world.recovery_vaults.protect("rsv-one", "stdata", "orders")["properties"]
    assert item.keys() == real_fields(items, "IRPending")
    world.recovery_vaults.complete_backup("stdata", "orders")
    assert (item["protectionState"], item["lastBackupStatus"]) == ("Protected", "Completed")
    assert item.keys() == real_fields(items, "Protected")


def real_fields(items: list[dict[str, Any]], state: str) -> set[str]:
    """The fields that every recorded item in this state has."""
    found = [item.keys() for item in items if item["protectionState"] == state and "extendedInfo" not in item]
    assert len(found) >= 5
    return set.intersection(*map(set, found))


@pytest.fixture
async def client(world: World) -> Any:
    async with DataProtectionMgmtClient(
        **sdk.arm(world, world.entra.add("caller")), custom_hook_policy=sdk.OfVersion("2025-07-01")
    ) as client:
        world.resource_groups.add("rg-backup")
        yield client


async def written(world: World, client: Any, **properties: Any) -> Any:
    """The vault after a PUT with these properties."""
    storage = [{"datastoreType": "VaultStore", "type": "GeoRedundant"}]
    identity = {"type": "SystemAssigned"}
    body = {"location": "westeurope", "identity": identity, "properties": {"storageSettings": storage, **properties}}
    poller = await client.backup_vaults.begin_create_or_update(**VAULT, parameters=body)
    await world.clock.advance(timedelta(minutes=2))
    return await poller.result()


async def test_a_vault_that_is_written_unchanged_is_answered_at_once(world: World, client: Any) -> None:
    for status, headers in ((201, {"Azure-AsyncOperation"}), (200, set[str]())):
        assert (await written(world, client)).properties.provisioning_state == "Succeeded"
        put = [e for e in world.wire.exchanges if e.method == "PUT"][-1]
        assert (put.status, set(put.headers)) == (status, headers)
        assert "immutabilitySettings" not in put.body["properties"]["securitySettings"]


async def test_cross_region_restore_is_not_switched_off_again(world: World, client: Any) -> None:
    await written(world, client, featureSettings={"crossRegionRestoreSettings": {"state": "Enabled"}})
    with pytest.raises(HttpResponseError, match="cannot be changed from Enabled to Disabled"):
        await written(world, client, featureSettings={"crossRegionRestoreSettings": {"state": "Disabled"}})


def test_the_queries_of_azures_cli_are_answered_as_recorded(exchanges: list[dict[str, Any]], clock: Clock) -> None:
    asked = [e for e in exchanges if "/Microsoft.ResourceGraph/" in e["url"]]
    assert len(asked) == 3
    for exchange in asked:
        query, rows = parse(exchange["req"]["query"], COLUMNS, clock.now()), exchange["body"]["data"]
        assert query.table == "recoveryservicesresources"
        assert query.run([{name: row[name] for name in COLUMNS} for row in rows]) == rows
