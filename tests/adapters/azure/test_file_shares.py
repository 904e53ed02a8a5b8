"""Protected shares and scratch shares in the simulated Azure Files, reached by the real SDK clients."""

import msgspec
import pytest

from local.cloud.resources.file_shares import DATA_ROLES
from local.cloud.world import World
from shared.adapters.azure.file_shares import FileShares
from shared.domain.errors import PermanentError, TemporaryError
from shared.domain.restores.items import ShareItem
from shared.domain.restores.manifest import Manifest, ManifestEntry, compare
from shared.domain.restores.verification import RestorePlan
from tests.worlds import sdk
from tests.worlds.facts.plans import a_manifest, a_plan
from tests.worlds.removal import at_once
from tests.worlds.settings import settings

ACCOUNT, SHARE, PLACE = "stcontoso", "orders", "verify-orders-0a1b2c3d"


@pytest.fixture
async def shares(world: World) -> FileShares:
    world.file_shares.create(ACCOUNT, SHARE)
    for path, content in {"a.csv": b"1;2", "2026/12/b.csv": b"3;4", "empty": b""}.items():
        world.file_shares.write(ACCOUNT, SHARE, path, content)
    verifier = world.entra.add("verifier")
    world.roles.grant(verifier.object_id, DATA_ROLES[0], world.file_shares.account(ACCOUNT)["id"])
    known = msgspec.structs.replace(settings(world), file_url=f"{world.wire.url}/files/{{account}}")
    return FileShares(known, **sdk.aio(world, verifier))


@pytest.fixture
def item(world: World) -> ShareItem:
    return ShareItem(id="i", source_id=world.file_shares.account(ACCOUNT)["id"], share=SHARE)


@pytest.fixture
def plan(world: World, item: ShareItem) -> RestorePlan:
    return a_plan(world.clock.now(), item=item, isolated={SHARE: PLACE})


async def manifest_of(world: World, shares: FileShares, item: ShareItem) -> Manifest:
    return a_manifest(world.clock.now(), **(await shares.contents(item)).entries)


async def test_a_share_is_described_by_all_its_files_and_their_contents(shares: FileShares, item: ShareItem) -> None:
    held = await shares.contents(item)
    assert (held.names, set(held.entries)) == (("orders",), {"a.csv", "2026/12/b.csv", "empty"})
    assert all(entry.size is not None and entry.digest for entry in held.entries.values())
    assert all(entry.changed for entry in held.entries.values())


async def test_a_scratch_share_is_made_once_and_removed_for_sure(
    world: World, shares: FileShares, plan: RestorePlan
) -> None:
    await shares.isolate(plan)
    await shares.isolate(plan)
    assert sum(e.method == "PUT" for e in world.wire.exchanges) == 1
    assert await shares.remove(plan, at_once) == [PLACE]
    assert await shares.remove(plan, at_once) == []
    assert not world.file_shares.exists(ACCOUNT, PLACE)


async def test_a_share_that_isn_t_ours_is_never_deleted(world: World, shares: FileShares, plan: RestorePlan) -> None:
    world.file_shares.create(ACCOUNT, PLACE)
    assert await shares.remove(plan, at_once) == []
    assert world.file_shares.exists(ACCOUNT, PLACE)


async def test_a_copy_that_holds_the_same_bytes_differs_in_nothing(
    world: World, shares: FileShares, item: ShareItem, plan: RestorePlan
) -> None:
    manifest = await manifest_of(world, shares, item)
    await shares.isolate(plan)
    for path, content in world.file_shares.files(ACCOUNT, SHARE).items():
        world.file_shares.write(ACCOUNT, PLACE, path, content)
    found = compare(manifest, (await shares.copy(plan, manifest, [])).entries, plan.taken)
    assert (found.compared, found.missing, found.altered, found.extra) == (3, (), (), ())


async def test_one_changed_byte_and_one_missing_file_are_found(
    world: World, shares: FileShares, item: ShareItem, plan: RestorePlan
) -> None:
    manifest = await manifest_of(world, shares, item)
    await shares.isolate(plan)
    world.file_shares.write(ACCOUNT, PLACE, "a.csv", b"1;3")
    world.file_shares.write(ACCOUNT, PLACE, "empty", b"")
    found = compare(manifest, (await shares.copy(plan, manifest, [])).entries, plan.taken)
    assert (found.altered, found.missing) == (("a.csv",), ("2026/12/b.csv",))


async def test_only_the_manifest_s_sample_of_a_copy_is_read(
    world: World, shares: FileShares, plan: RestorePlan
) -> None:
    await shares.isolate(plan)
    world.file_shares.write(ACCOUNT, PLACE, "a.csv", b"1;2")
    unread = a_manifest(world.clock.now(), **{"a.csv": ManifestEntry(size=3)})
    copy = await shares.copy(plan, unread, [])
    assert (copy.entries["a.csv"].size, copy.entries["a.csv"].digest) == (3, "")


async def test_without_a_data_role_reading_is_worth_another_try(world: World, item: ShareItem) -> None:
    known = msgspec.structs.replace(settings(world), file_url=f"{world.wire.url}/files/{{account}}")
    stranger = FileShares(known, **sdk.aio(world, world.entra.add("stranger")))
    with pytest.raises(TemporaryError, match="Forbidden"):
        await stranger.contents(item)


async def test_a_canary_tells_its_time_from_the_copy(world: World, shares: FileShares, plan: RestorePlan) -> None:
    await shares.isolate(plan)
    world.file_shares.write(ACCOUNT, PLACE, "beat.txt", b"2027-01-15T08:00:00Z\n")
    world.file_shares.write(ACCOUNT, PLACE, "a.csv", b"1;2")
    copy = await shares.copy(plan, a_manifest(), ["beat.txt", "a.csv", "absent.txt"])
    assert {path: f"{at:%H:%M}" for path, at in copy.canary_times.items()} == {"beat.txt": "08:00"}


async def test_a_share_of_that_name_that_is_somebody_else_s_is_refused(
    world: World, shares: FileShares, plan: RestorePlan
) -> None:
    world.file_shares.create(ACCOUNT, PLACE)
    with pytest.raises(PermanentError, match="PlaceTaken"):
        await shares.isolate(plan)


async def test_the_scratch_share_of_another_verification_is_neither_restored_into_nor_removed(
    world: World, shares: FileShares, plan: RestorePlan
) -> None:
    await shares.isolate(plan)
    other = msgspec.structs.replace(plan, name=f"{plan.name}-2")
    for refused in (shares.isolate, shares.require_isolated):
        with pytest.raises(PermanentError, match="PlaceTaken"):
            await refused(other)
    assert await shares.remove(other, at_once) == []
    assert world.file_shares.exists(ACCOUNT, PLACE)
