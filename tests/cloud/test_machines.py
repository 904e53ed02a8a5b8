from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.compute.aio import ComputeManagementClient

from local.cloud.resources.machines import GROUP, MachineDisk
from local.cloud.world import World
from tests.worlds import sdk


@pytest.fixture
async def compute(world: World) -> AsyncIterator[Any]:
    async with ComputeManagementClient(**sdk.arm(world, world.entra.add("caller"))) as client:
        yield client


async def names(disks: Any) -> list[str]:
    return sorted([disk.name async for disk in disks.list_by_resource_group(GROUP)])


async def test_a_machine_names_its_disks_and_these_have_sizes(world: World, compute: Any) -> None:
    world.machines.add("vm-orders", tags={"meshward:protect": "true"})
    machine = await compute.virtual_machines.get(GROUP, "vm-orders")
    profile = machine.storage_profile
    attached = [await compute.disks.get(GROUP, disk.name) for disk in (profile.os_disk, *profile.data_disks)]
    assert machine.tags == {"meshward:protect": "true"}
    assert [disk.lun for disk in profile.data_disks] == [0, 1]
    assert [(disk.disk_size_gb, disk.os_type) for disk in attached] == [(30, "Linux"), (128, None), (64, None)]
    assert {disk.managed_by for disk in attached} == {machine.id}
    assert all(disk.time_created for disk in attached)


async def test_machines_are_listed_by_group_and_by_subscription(world: World, compute: Any) -> None:
    world.machines.add("vm-orders")
    world.machines.add("vm-shop", group="rg-shop")
    assert [m.name async for m in compute.virtual_machines.list(GROUP)] == ["vm-orders"]
    assert sorted([m.name async for m in compute.virtual_machines.list_all()]) == ["vm-orders", "vm-shop"]


async def test_an_attached_disk_cannot_be_deleted(world: World, compute: Any) -> None:
    world.machines.add("vm-orders", [MachineDisk(lun=None, size=30)])
    (name,) = await names(compute.disks)
    with pytest.raises(HttpResponseError) as caught:
        await compute.disks.begin_delete(GROUP, name, polling=False)
    assert caught.value.status_code == 409
    assert await names(compute.disks) == [name]


async def test_an_unattached_disk_is_gone_a_moment_after_its_deletion(world: World, compute: Any) -> None:
    group = world.resource_groups.add(GROUP)
    world.machines.make_disk(group["id"], "free", MachineDisk(lun=0, size=8), location=group["location"])
    await compute.disks.begin_delete(GROUP, "free", polling=False)
    at_once = await names(compute.disks)
    await world.clock.advance(timedelta(minutes=1))
    assert (at_once, await names(compute.disks)) == (["free"], [])


async def test_the_sdk_s_own_poller_sees_a_disk_s_end(world: World, compute: Any) -> None:
    group = world.resource_groups.add(GROUP)
    world.machines.make_disk(group["id"], "free", MachineDisk(lun=0, size=8), location=group["location"])
    await (await compute.disks.begin_delete(GROUP, "free")).result()
    await (await compute.disks.begin_delete(GROUP, "free")).result()
    assert await names(compute.disks) == []


async def test_a_snapshot_is_found_and_deleted_as_a_disk_is(world: World, compute: Any) -> None:
    group = world.resource_groups.add("rg-staging")
    world.machines.make_snapshot(group["id"], "data", MachineDisk(lun=0, size=8), location="westeurope")
    found = [(s.name, s.disk_size_gb) async for s in compute.snapshots.list_by_resource_group("rg-staging")]
    await (await compute.snapshots.begin_delete("rg-staging", "data")).result()
    assert found == [("data", 8)]
    assert [s.name async for s in compute.snapshots.list_by_resource_group("rg-staging")] == []
