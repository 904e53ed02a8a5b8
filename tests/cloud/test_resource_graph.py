"""Resource Graph answers late, in pages, within its quota, and only what it understands."""

from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.resourcegraph.aio import ResourceGraphClient
from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions

from local.cloud.arm import iso
from local.cloud.world import SUBSCRIPTION, World
from tests.worlds import sdk

VAULT = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/RG-Vaults/providers/Microsoft.DataProtection/backupVaults/v"
JOBS = "RecoveryServicesResources | where type =~ 'Microsoft.DataProtection/backupVaults/backupJobs'"


def _client(world: World) -> ResourceGraphClient:
    arguments = sdk.arm(world, world.entra.add("caller"))
    del arguments["subscription_id"]
    return ResourceGraphClient(**arguments)


async def _ask(world: World, query: str, **options: Any) -> Any:
    async with _client(world) as client:
        request = QueryRequest(
            subscriptions=[SUBSCRIPTION], query=query, options=QueryRequestOptions(**options) if options else None
        )
        return await client.resources(request)


async def _names(world: World, query: str) -> list[str]:
    return [row["name"] for row in (await _ask(world, query)).data]


def _job(world: World, name: str, status: str = "Completed", **properties: Any) -> dict[str, Any]:
    return world.arm.store(
        {
            "id": f"{VAULT}/backupJobs/{name}",
            "name": name,
            "type": "Microsoft.DataProtection/backupVaults/backupJobs",
            "properties": {"status": status, "endTime": iso(world.clock.time()), **properties},
        }
    )


async def test_changes_are_seen_only_after_the_lag(world: World) -> None:
    cluster = world.aks.add("alpha", tags={"team": "a"})
    query = "Resources | where type == 'microsoft.containerservice/managedclusters' | project name, team = tags['team']"
    assert (await _ask(world, query)).data == []
    await world.clock.advance(timedelta(seconds=world.resource_graph.lag))
    assert (await _ask(world, query)).data == [{"name": "alpha", "team": "a"}]
    world.arm.store(cluster | {"tags": {"team": "b"}})
    assert (await _ask(world, query)).data == [{"name": "alpha", "team": "a"}]
    await world.clock.advance(timedelta(seconds=world.resource_graph.lag))
    assert (await _ask(world, query)).data == [{"name": "alpha", "team": "b"}]
    world.aks.remove("alpha")
    assert len((await _ask(world, query)).data) == 1
    await world.clock.advance(timedelta(seconds=world.resource_graph.lag))
    assert (await _ask(world, query)).data == []


async def test_a_change_in_place_is_seen_at_the_latest_a_lag_after_a_query(world: World) -> None:
    job = _job(world, "j", status="InProgress")
    await world.clock.advance(timedelta(minutes=5))
    job["properties"]["status"] = "Completed"
    assert (await _ask(world, f"{JOBS} | project s = properties.status")).data == [{"s": "InProgress"}]
    await world.clock.advance(timedelta(seconds=world.resource_graph.lag))
    assert (await _ask(world, f"{JOBS} | project s = properties.status")).data == [{"s": "Completed"}]


async def test_resources_are_in_their_tables(world: World) -> None:
    world.aks.add("alpha")
    _job(world, "j")
    world.roles.grant("somebody", "role", VAULT)
    await world.clock.advance(timedelta(minutes=2))
    assert await _names(world, "resources") == ["alpha"]
    assert await _names(world, "RecoveryServicesResources") == ["j"]
    assert await _names(world, "ResourceContainers | where resourceGroup == 'rg-clusters'") == ["rg-clusters"]


@pytest.mark.parametrize(
    ("condition", "passes"),
    [
        ("name == 'j'", True),
        ("name == 'J'", False),
        ("name =~ 'J'", True),
        ("name != 'j'", False),
        ("name !~ 'x'", True),
        ("resourceGroup == 'rg-vaults'", True),
        ("type in~ ('a/b', 'Microsoft.DataProtection/backupVaults/backupJobs')", True),
        ("type in ('Microsoft.DataProtection/backupVaults/backupJobs')", False),
        ("properties.status in~ ('failed', 'completed')", True),
        ("properties.absent == ''", False),
        ("properties.absent != 'x'", True),
        ("tostring(properties.absent) == ''", True),
        ("properties['status'] has 'completed'", True),
        ("properties.status has 'complete'", False),
        ("properties.isUserTriggered == true", True),
        ("properties.isUserTriggered == 'true'", True),
        ("properties.count > 2", True),
        ("properties.count >= 3 and properties.count < 3", False),
        ("todatetime(properties.endTime) >= ago(5m)", True),
        ("todatetime(properties.endTime) > now()", False),
        ("todatetime(properties.endTime) >= datetime(2027-01-15T08:00:00Z)", True),
        ("todatetime(properties.absent) > ago(1d)", False),
        ("tolower(properties.status) startswith 'comp'", True),
        ("properties.status startswith 'omp'", False),
        ("properties.status endswith 'TED'", True),
        ("properties.status !endswith 'TED'", False),
        ("properties.status contains 'LET'", True),
        ("properties.status !contains 'LET'", False),
        ("split(id, '/')[8] == 'v'", True),
        ("split(id, '/')[99] == ''", False),
        ("split(split(id, '/backupVaults/')[1], '/')[0] in~ ('V')", True),
        ("strcat(name, '-', properties.count) == 'j-3'", True),
        ("case(name == 'x', 'first', name == 'j' and properties.count > 2, 'second', 'last') == 'second'", True),
        ("case(name == 'x', 'first', name == 'y' or name == 'z', 'second', 'last') == 'last'", True),
        ("case(name =~ 'J', properties.status, 'last') == 'Completed'", True),
        ("name == 'x' or name == 'j'", True),
        ("name == 'j' or name == 'j' and name == 'x'", True),
        ("name == 'x' or name == 'j' and name == 'x'", False),
    ],
)
async def test_a_condition_decides(world: World, condition: str, passes: bool) -> None:
    _job(world, "j", count=3, isUserTriggered=True)
    await world.clock.advance(timedelta(minutes=2))
    assert bool(await _names(world, f"{JOBS} | where {condition}")) == passes


@pytest.mark.parametrize(
    ("query", "token"),
    [
        ("Resources | frobnicate type", "frobnicate"),
        ("Resources | where nosuchcolumn == 'a'", "nosuchcolumn"),
        ("Resources | where properties.endTime > ago(1d)", ">"),
        ("Resources | project name | where type == 'x'", "type"),
        ("Resources | where name resembles 'a'", "resembles"),
        ("Resources | where case(name == 'a', 'b') == 'b'", ")"),
        ("Resources | take", "<EOF>"),
        ("Resources where name == 'a'", "where"),
        ("NoSuchTable", "nosuchtable"),
        ("Resources | where name == 'unfinished", "'"),
        ("", "<EOF>"),
    ],
)
async def test_a_query_that_can_not_be_right_is_refused_with_the_token_that_it_stumbles_over(
    world: World, query: str, token: str
) -> None:
    detail = await _refusal(world, query)
    assert (detail["code"], detail["token"], detail["line"]) == ("ParserFailure", token, 1)


async def test_the_place_of_what_is_wrong_is_told_by_line_and_character(world: World) -> None:
    detail = await _refusal(world, "Resources\n| where name = 'a'")
    assert (detail["line"], detail["characterPositionInLine"], detail["token"]) == (2, 13, "=")


async def test_a_function_that_there_isn_t_is_refused_by_its_name(world: World) -> None:
    detail = await _refusal(world, "Resources | extend a = cout(name)")
    assert detail == {"code": "UnknownFunction", "message": "Unknown function: 'cout'."}


async def _refusal(world: World, query: str) -> dict[str, Any]:
    """What Resource Graph says is wrong with a query."""
    with pytest.raises(HttpResponseError) as refused:
        await _ask(world, query)
    assert refused.value.status_code == 400
    body = world.wire.exchanges[-1].body["error"]
    general, special = body["details"]
    assert (body["code"], general["code"]) == ("BadRequest", "InvalidQuery")
    found: dict[str, Any] = special
    return found


@pytest.mark.parametrize(
    "query", ["Resources | distinct type", "Resources | project-away tags", "Resources | extend a = strlen(name)"]
)
async def test_what_resource_graph_would_answer_isn_t_refused_in_its_name(world: World, query: str) -> None:
    with pytest.raises(HttpResponseError) as refused:
        await _ask(world, query)
    assert (refused.value.status_code, world.wire.exchanges[-1].body["error"]["code"]) == (501, "NotSimulated")


async def test_rows_are_projected_ordered_and_cut(world: World) -> None:
    for name, status in (("a", "Failed"), ("b", "Completed"), ("c", "Failed")):
        _job(world, name, status)
    await world.clock.advance(timedelta(minutes=2))
    ordered = await _ask(
        world, f"{JOBS} | project properties.status, name | order by properties_status asc, name | take 2"
    )
    assert ordered.data == [
        {"properties_status": "Completed", "name": "b"},
        {"properties_status": "Failed", "name": "c"},
    ]
    extended = await _ask(world, f"{JOBS} | extend s = tolower(properties.status) | where s == 'failed' | sort by name")
    assert [row["name"] for row in extended.data] == ["c", "a"]


async def test_a_result_has_further_pages_only_if_the_id_is_projected(world: World) -> None:
    for number in range(5):
        _job(world, f"j{number}")
    await world.clock.advance(timedelta(minutes=2))
    query = f"{JOBS} | project id, name | order by id asc"
    first = await _ask(world, query, top=2)
    second = await _ask(world, query, top=2, skip_token=first.skip_token)
    third = await _ask(world, query, top=2, skip_token=second.skip_token)
    assert [row["name"] for page in (first, second, third) for row in page.data] == ["j0", "j1", "j2", "j3", "j4"]
    assert (first.result_truncated, third.result_truncated, third.skip_token) == ("true", "false", None)
    assert (first.total_records, first.count) == (5, 2)
    without = await _ask(world, f"{JOBS} | project name", top=2)
    assert (without.result_truncated, without.skip_token) == ("true", None)


async def test_the_sixteenth_query_within_five_seconds_is_refused(world: World) -> None:
    async with _client(world) as client:
        for _ in range(15):
            await client.resources(QueryRequest(query="Resources"))
        assert world.wire.exchanges[-1].headers["x-ms-user-quota-remaining"] == "0"
        with pytest.raises(HttpResponseError) as throttled:
            await client.resources(QueryRequest(query="Resources"))
        assert throttled.value.status_code == 429
        await world.clock.advance(timedelta(seconds=5))
        await client.resources(QueryRequest(query="Resources"))
