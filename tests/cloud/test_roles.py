"""Role assignments can be read at once and take effect late."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.mgmt.authorization.aio import AuthorizationManagementClient
from azure.mgmt.authorization.v2022_04_01.models import RoleAssignmentCreateParameters

from local.cloud.world import SUBSCRIPTION, World
from tests.worlds import sdk

READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
DEFINITION = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{READER}"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-a"
WITHIN = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/sa"


@pytest.fixture
def world(world: World) -> World:
    world.resource_groups.add("rg-a")
    return world


def _client(world: World) -> AuthorizationManagementClient:
    return AuthorizationManagementClient(**sdk.arm(world, world.entra.add("caller")))


def _reader(principal_id: str, kind: Any = "ServicePrincipal") -> RoleAssignmentCreateParameters:
    return RoleAssignmentCreateParameters(role_definition_id=DEFINITION, principal_id=principal_id, principal_type=kind)


async def test_an_assignment_takes_effect_after_the_lag_and_is_inherited(world: World) -> None:
    vault = world.entra.add("vault").object_id
    async with _client(world) as client:
        created = await client.role_assignments.create(GROUP, str(uuid.uuid4()), _reader(vault))
        assert created.created_by is None
        assert (await client.role_assignments.get_by_id(created.id)).created_by
    assert not world.roles.effective(vault, READER, WITHIN)
    await world.clock.advance(timedelta(seconds=world.roles.lag))
    assert world.roles.effective(vault, READER, WITHIN.upper())
    assert not world.roles.effective(vault, READER, f"{GROUP}b")
    assert not world.roles.effective(world.entra.add("other").object_id, READER, WITHIN)


async def test_the_lag_can_be_set_for_one_role(world: World) -> None:
    world.roles.lags[READER] = 600
    vault = world.entra.add("vault").object_id
    async with _client(world) as client:
        await client.role_assignments.create(GROUP, str(uuid.uuid4()), _reader(vault))
    await world.clock.advance(timedelta(seconds=599))
    assert not world.roles.effective(vault, READER, GROUP)
    await world.clock.advance(timedelta(seconds=1))
    assert world.roles.effective(vault, READER, GROUP)


async def test_an_assignment_that_is_written_again_is_answered_as_a_new_one(world: World) -> None:
    vault, name = world.entra.add("vault").object_id, str(uuid.uuid4())
    async with _client(world) as client:
        for _ in range(2):
            await client.role_assignments.create(GROUP, name, _reader(vault))
            assert world.wire.exchanges[-1].status == 201


async def test_a_second_assignment_of_the_same_role_conflicts(world: World) -> None:
    vault = world.entra.add("vault").object_id
    name = str(uuid.uuid4())
    async with _client(world) as client:
        first = await client.role_assignments.create(GROUP, name, _reader(vault))
        again = await client.role_assignments.create(GROUP, name, _reader(vault))
        assert again.id == first.id
        with pytest.raises(ResourceExistsError) as conflict:
            await client.role_assignments.create(GROUP, str(uuid.uuid4()), _reader(vault))
        with pytest.raises(HttpResponseError) as changed:
            await client.role_assignments.create(GROUP, name, _reader(world.entra.add("other").object_id))
    assert _code(conflict) == "RoleAssignmentExists"
    assert _code(changed) == "RoleAssignmentUpdateNotPermitted"


async def test_a_new_principal_is_accepted_only_if_its_type_is_given(world: World) -> None:
    vault = world.entra.add("vault").object_id
    async with _client(world) as client:
        with pytest.raises(HttpResponseError) as unknown:
            await client.role_assignments.create(GROUP, str(uuid.uuid4()), _reader(vault, kind=None))
        assert _code(unknown) == "PrincipalNotFound"
        await world.clock.advance(timedelta(seconds=world.roles.replication))
        await client.role_assignments.create(GROUP, str(uuid.uuid4()), _reader(vault, kind=None))


async def test_an_identity_is_no_user(world: World) -> None:
    vault = world.entra.add("vault").object_id
    await world.clock.advance(timedelta(minutes=5))
    async with _client(world) as client:
        with pytest.raises(HttpResponseError) as mismatch:
            await client.role_assignments.create(GROUP, str(uuid.uuid4()), _reader(vault, kind="User"))
    assert _code(mismatch) == "UnmatchedPrincipalType"


async def test_a_list_at_scope_holds_what_is_inherited_but_nothing_below(world: World) -> None:
    vault = world.entra.add("vault").object_id
    above, at, below = (world.roles.grant(vault, READER, scope) for scope in ("/", GROUP, WITHIN))
    async with _client(world) as client:
        at_scope = [a.id async for a in client.role_assignments.list_for_scope(GROUP, filter="atScope()")]
        everything = [a.id async for a in client.role_assignments.list_for_scope(GROUP)]
        of_other = [a.id async for a in client.role_assignments.list_for_scope(GROUP, filter="principalId eq 'x'")]
    assert at_scope == [above["id"], at["id"]]
    assert everything == [above["id"], at["id"], below["id"]]
    assert of_other == []


async def test_a_deleted_assignment_is_returned_once_and_has_no_effect_any_more(world: World) -> None:
    vault = world.entra.add("vault").object_id
    granted = world.roles.grant(vault, READER, GROUP)
    assert world.roles.effective(vault, READER, GROUP)
    async with _client(world) as client:
        deleted = await client.role_assignments.delete_by_id(granted["id"])
        assert deleted is not None
        assert deleted.id == granted["id"]
        assert await client.role_assignments.delete_by_id(granted["id"]) is None
    assert not world.roles.effective(vault, READER, GROUP)


def _code(raised: pytest.ExceptionInfo[Any]) -> str:
    return str(raised.value.error.code)
