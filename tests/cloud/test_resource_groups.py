"""Resource groups come, hold what providers put into them, and go with all of it."""

from datetime import timedelta

import pytest
from azure.mgmt.resource.resources.aio import ResourceManagementClient

from local.cloud.arm import error
from local.cloud.clock import Clock
from local.cloud.resources.resource_groups import DELETE_SECONDS
from local.cloud.world import REGION, SUBSCRIPTION, World
from tests.worlds import sdk

GROUPS = f"/subscriptions/{SUBSCRIPTION}/resourcegroups"
VERSION = "?api-version=2024-03-01"


async def test_a_group_is_created_once_and_updated_after_that(world: World) -> None:
    async with sdk.Raw(world, world.entra.add("caller")) as client:
        body = {"location": REGION, "tags": {"expires": "soon"}}
        created = await client.call("PUT", f"{GROUPS}/rg-a{VERSION}", body)
        updated = await client.call("PUT", f"{GROUPS}/RG-A{VERSION}", {"location": REGION, "tags": {}})
        listed = await client.call("GET", f"{GROUPS}{VERSION}")
    assert (created.status_code, updated.status_code) == (201, 200)
    assert [group["tags"] for group in listed.json()["value"]] == [{}]


async def test_groups_are_found_by_tag(world: World) -> None:
    world.resource_groups.add("rg-a", tags={"purpose": "verify"})
    world.resource_groups.add("rg-b", tags={"purpose": "other"})
    world.resource_groups.add("rg-c")
    async with sdk.Raw(world, world.entra.add("caller")) as client:
        condition = "&$filter=tagName%20eq%20'purpose'%20and%20tagValue%20eq%20'verify'"
        listed = await client.call("GET", f"{GROUPS}{VERSION}{condition}")
        any_value = await client.call("GET", f"{GROUPS}{VERSION}&$filter=tagName%20eq%20'purpose'")
    assert [group["name"] for group in listed.json()["value"]] == ["rg-a"]
    assert [group["name"] for group in any_value.json()["value"]] == ["rg-a", "rg-b"]


async def test_deletion_takes_time_and_everything_in_the_group(world: World) -> None:
    world.aks.add("alpha", group="rg-a")
    world.aks.add("beta", group="rg-ab")
    async with sdk.Raw(world, world.entra.add("caller")) as client:
        accepted = await client.call("DELETE", f"{GROUPS}/rg-a{VERSION}")
        pending = await client.call("GET", accepted.headers["Location"])
        assert (accepted.status_code, pending.status_code) == (202, 202)
        assert len(accepted.headers["Location"]) > 3_000
        await world.clock.advance(timedelta(minutes=3))
        done = await client.call("GET", accepted.headers["Location"])
        gone = await client.call("GET", f"{GROUPS}/rg-a{VERSION}")
    assert (done.status_code, gone.status_code) == (200, 404)
    assert gone.json()["error"]["code"] == "ResourceGroupNotFound"
    assert [cluster["name"] for cluster in world.arm.of_type("Microsoft.ContainerService/managedClusters")] == ["beta"]


async def test_the_sdk_follows_a_deletion_to_its_end(world: World) -> None:
    started = world.clock.time()
    world.resource_groups.add("rg-a", tags={"purpose": "verify"})
    async with ResourceManagementClient(**sdk.arm(world, world.entra.add("caller"))) as client:
        await (await client.resource_groups.begin_delete("rg-a")).result()
        assert [group async for group in client.resource_groups.list(filter="tagName eq 'purpose'")] == []
    assert world.clock.time() >= started + DELETE_SECONDS


async def test_a_blocked_group_survives_its_deletion(world: World) -> None:
    world.aks.add("alpha", group="rg-a")
    world.resource_groups.blocked["rg-a"] = "Deletion of resource group 'rg-a' failed as vault v has backup items."
    async with sdk.Raw(world, world.entra.add("caller")) as client:
        accepted = await client.call("DELETE", f"{GROUPS}/rg-a{VERSION}")
        await world.clock.advance(timedelta(minutes=3))
        failed = await client.call("GET", accepted.headers["Location"])
        group = await client.call("GET", f"{GROUPS}/rg-a{VERSION}")
    assert (failed.status_code, failed.json()["error"]["code"]) == (409, "ResourceGroupDeletionBlocked")
    assert group.json()["properties"]["provisioningState"] == "Succeeded"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *((method, "Microsoft.RecoveryServices/vaults/rsv") for method in ("GET", "PUT", "PATCH", "DELETE")),
        ("GET", "Microsoft.ContainerService/managedClusters"),
    ],
)
async def test_of_what_is_in_a_group_that_does_not_exist_the_group_isn_t_found(
    clock: Clock, method: str, path: str
) -> None:
    world = World(clock)  # one that isn't held against recordings, which have no such group
    await world.start()
    async with sdk.Raw(world, world.entra.add("caller")) as client:
        url = f"{GROUPS}/rg-absent/providers/{path}?api-version=2024-04-01"
        answer = await client.call(method, url, {"location": REGION})
        world.resource_groups.add("rg-absent")
        there = await client.call("GET", url)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ResourceGroupNotFound")
    assert "ResourceGroupNotFound" not in str(there.json())
    await world.stop()


async def test_a_call_without_an_api_version_is_refused(world: World) -> None:
    async with sdk.Raw(world, world.entra.add("caller")) as client:
        refused = await client.call("GET", GROUPS)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "MissingApiVersionParameter")


async def test_a_missing_permission_is_reported_before_an_absent_group(world: World) -> None:
    world.permissions.define({"nothing": []}, {})
    path = f"{GROUPS}/rg-none/providers/Microsoft.ManagedIdentity/userAssignedIdentities/one?api-version=2023-01-31"
    async with sdk.Raw(world, world.entra.add("caller")) as client:
        refused = await client.call("PUT", path, {"location": REGION})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "AuthorizationFailed")


async def test_listeners_get_every_change_and_checks_may_refuse_calls(world: World) -> None:
    heard: list[tuple[str, bool]] = []
    world.arm.listeners.append(lambda id, resource: heard.append((id.rpartition("/")[2], resource is None)))
    locked = error(409, "ScopeLocked", "The scope is locked.")
    world.arm.checks.append(lambda _caller, call: locked if call.method == "DELETE" else None)
    world.aks.add("alpha", group="rg-a")
    async with sdk.Raw(world, world.entra.add("caller")) as client:
        refused = await client.call("DELETE", f"{GROUPS}/rg-a{VERSION}")
    world.aks.remove("alpha", group="rg-a")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "ScopeLocked")
    assert heard == [("rg-a", False), ("alpha", False), ("alpha", True)]
