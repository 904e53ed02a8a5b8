"""Requests that take time name an operation, lists have a value: what lacks it isn't taken for done, or for empty."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from local.cloud.clock import Clock
from local.cloud.wire import InjectedFault, Reply
from local.cloud.world import World
from shared.adapters.azure.common import Management
from shared.adapters.backup.backup_vaults import BackupVaults
from shared.adapters.backup.cluster_backups import ClusterBackups
from shared.adapters.backup.cluster_restores import ClusterRestores
from shared.adapters.backup.machine_backups import MachineBackups
from shared.adapters.backup.machine_restores import MachineRestores
from shared.adapters.backup.recovery_services_vaults import RecoveryServicesVaults
from shared.adapters.backup.share_backups import ShareBackups
from shared.domain.errors import NotConverged, PermanentError
from shared.domain.operations import concluded
from shared.domain.restores.items import ClusterItem, MachineItem, RecoveryPoint
from shared.domain.vaults.machines import VirtualMachine
from shared.domain.vaults.protection import SourceOperation
from shared.domain.vaults.shares import FileShare
from tests.worlds import sdk
from tests.worlds.facts.plans import a_plan
from tests.worlds.facts.protections import PROTECTION
from tests.worlds.settings import settings
from tests.worlds.times import NOW

SHARE = FileShare(source_id=PROTECTION.account_id, name="carts")
ASKED = SourceOperation(protection=PROTECTION, source=SHARE, operation="0f0e")
VM = f"{PROTECTION.snapshot_group_id}/providers/Microsoft.Compute/virtualMachines/vm"
ITEMS = f"{PROTECTION.recovery_services_vault_id}/backupFabrics/Azure/protectionContainers/c/protectedItems"
POINT = RecoveryPoint(id="p", time=NOW, complete=True)
OF_CLUSTER = a_plan(
    item=ClusterItem(id=PROTECTION.instance_id, source_id=PROTECTION.cluster_id, location="westeurope"),
    point=POINT,
    target_id=PROTECTION.cluster_id,
)
OF_MACHINE = a_plan(
    item=MachineItem(id=f"{ITEMS}/vm;c;rg;vm", source_id=VM),
    point=POINT,
    target_id=PROTECTION.snapshot_group_id,
    staging="stage",
)

type Request = tuple[type[Management], Callable[[Any], Awaitable[Any]], str]

FOLLOWED: dict[str, Request] = {
    "the registration of an account": (ShareBackups, lambda a: a.register(PROTECTION, SHARE), "PUT"),
    "an inquiry": (ShareBackups, lambda a: a.inquire(PROTECTION, SHARE), "POST"),
    "a machine's protection": (
        MachineBackups,
        lambda a: a.protect(PROTECTION, VirtualMachine(source_id=VM, name="vm"), None),
        "PUT",
    ),
    "a cluster's protection": (ClusterBackups, lambda a: a.put_instance(PROTECTION), "PUT"),
    "a cluster's validation": (ClusterBackups, lambda a: a.start_validation(PROTECTION), "POST"),
    "the validation of a cluster's restore": (ClusterRestores, lambda a: a.validate(OF_CLUSTER), "POST"),
    "the validation of a machine's restore": (MachineRestores, lambda a: a.validate(OF_MACHINE), "POST"),
}
SENT: dict[str, Request] = {
    "a cluster's restore": (ClusterRestores, lambda a: a.send(OF_CLUSTER), "POST"),
    "a machine's restore": (MachineRestores, lambda a: a.send(OF_MACHINE), "POST"),
}
LISTS: dict[str, Request] = {
    "the vaults of a group": (BackupVaults, lambda a: a.tagged(PROTECTION.subscription, "rg"), "GET"),
    "the instances of a cluster": (ClusterBackups, lambda a: a.holders(PROTECTION), "GET"),
    "the instances of a vault": (BackupVaults, lambda a: a.items(PROTECTION), "GET"),
    "what a vault keeps deleted": (BackupVaults, lambda a: a.deleted_items(PROTECTION), "GET"),
    "the items of a vault": (RecoveryServicesVaults, lambda a: a.items(PROTECTION), "GET"),
    "restores of a cluster": (ClusterRestores, lambda a: a.restores(OF_CLUSTER.item, NOW), "GET"),
    "restores of a machine": (MachineRestores, lambda a: a.restores(OF_MACHINE.item, NOW), "GET"),
    "points of a cluster": (ClusterRestores, lambda a: a.points(OF_CLUSTER.item), "GET"),
    "points of a machine": (MachineRestores, lambda a: a.points(OF_MACHINE.item), "GET"),
}
NAMES_NONE: list[dict[str, str]] = [
    {},
    {"Location": f"https://management.azure.com{PROTECTION.backup_vault_id}?api-version=2025-07-01"},
    {"Azure-AsyncOperation": f"https://management.azure.com{PROTECTION.backup_vault_id}/operationStatus/"},
]


@pytest.fixture
async def strange(clock: Clock) -> AsyncIterator[World]:
    """A world that isn't held against specifications, which know no such answers."""
    world = World(clock)
    await world.start()
    yield world
    await sdk.close(world)
    await world.stop()


async def answered(world: World, request: Request, reply: Reply) -> Any:
    """What becomes of a request that Azure answers so."""
    kind, ask, method = request
    world.wire.inject(InjectedFault(f"{method} ", "answer", reply=reply))
    return await ask(kind(settings(world), **sdk.aio(world, world.entra.add("app"))))


@pytest.mark.parametrize("headers", NAMES_NONE)
@pytest.mark.parametrize("what", FOLLOWED)
async def test_what_was_accepted_without_an_operation_isn_t_done(
    strange: World, what: str, headers: dict[str, str]
) -> None:
    with pytest.raises(PermanentError, match="OperationUnnamed"):
        await answered(strange, FOLLOWED[what], Reply(status=202, headers=headers))


@pytest.mark.parametrize("what", FOLLOWED)
async def test_an_operation_is_known_by_its_id_alone(strange: World, what: str) -> None:
    address = f"https://management.azure.com{PROTECTION.backup_vault_id}/operationResults/MzIz==?t=1&c=signed"
    found = await answered(strange, FOLLOWED[what], Reply(status=202, headers={"Location": address}))
    assert getattr(found, "operation", found) == "MzIz=="


@pytest.mark.parametrize("what", SENT)
async def test_a_restore_that_was_accepted_without_an_operation_says_so(strange: World, what: str) -> None:
    assert await answered(strange, SENT[what], Reply(status=202)) == ""


@pytest.mark.parametrize("body", [{}, {"value": None}, {"value": {}}, [], None])
@pytest.mark.parametrize("what", LISTS)
async def test_a_list_without_a_value_isn_t_empty(strange: World, what: str, body: object) -> None:
    with pytest.raises(PermanentError, match="AnswerUnreadable"):
        await answered(strange, LISTS[what], Reply(body=body))


@pytest.mark.parametrize("body", [b"", b"null", b"{", b"<html>"])
async def test_an_answer_without_a_body_of_json_doesn_t_say_that_nothing_is_there(strange: World, body: bytes) -> None:
    looked: Request = (BackupVaults, lambda a: a.vault(PROTECTION), "GET")
    with pytest.raises(PermanentError, match="AnswerUnreadable"):
        await answered(strange, looked, Reply(content=body, headers={"Content-Type": "application/json"}))


@pytest.mark.parametrize(
    ("status", "told", "means"),
    [
        (200, "Registered", ""),
        (200, "registered", ""),
        (204, None, ""),
        (200, "NotRegistered", "Failed"),
        (200, "SoftDeleted", "Failed"),
        (200, "Registering", "UnderWay"),
        (200, "Dreaming", "StateUnknown"),
        (200, "", "StateUnknown"),
        (202, None, "UnderWay"),
    ],
)
async def test_an_operation_on_an_account_has_succeeded_only_where_the_account_is_registered(
    strange: World, status: int, told: str | None, means: str
) -> None:
    properties = {"containerType": "StorageContainer", "registrationStatus": told}
    body = {} if told is None else {"id": "/c", "name": "c", "properties": properties}
    operation: Request = (ShareBackups, lambda a: a.operation(ASKED), "GET")
    found = await answered(strange, operation, Reply(status=status, body=None if status == 204 else body))
    if means in ("UnderWay", "StateUnknown"):
        with pytest.raises(NotConverged, match=means):
            concluded("it", found)
    else:
        assert concluded("it", found).code == means


@pytest.mark.parametrize(("told", "means"), [("Registering", "UnderWay"), ("Dreaming", "StateUnknown")])
async def test_an_account_isn_t_registered_again_while_azure_is_at_it_or_says_what_nobody_knows(
    strange: World, told: str, means: str
) -> None:
    body = {"properties": {"containerType": "StorageContainer", "registrationStatus": told}}
    looked: Request = (ShareBackups, lambda a: a.registered(PROTECTION, SHARE), "GET")
    with pytest.raises(NotConverged, match=means):
        await answered(strange, looked, Reply(body=body))


@pytest.mark.parametrize(
    ("told", "stores", "partial"),
    [
        ({"isPartialRP": True}, {}, True),
        ({}, {"isPartialRP": True}, True),
        ({"isPartialRP": False}, {"isPartialRP": False}, False),
        ({}, {}, False),
        ({"recoveryPointState": "Partial"}, {}, True),
    ],
)
async def test_a_point_that_is_partial_is_not_taken_as_whole(
    strange: World, told: dict[str, Any], stores: dict[str, Any], *, partial: bool
) -> None:
    store = {"id": "s", "type": "OperationalStore", "visible": True, "state": "COMMITTED", **stores}
    point = {
        "objectType": "AzureBackupDiscreteRecoveryPoint",
        "recoveryPointTime": "2027-01-15T08:00:00Z",
        "recoveryPointState": "Completed",
        "recoveryPointDataStoresDetails": [store],
        **told,
    }
    (found,) = await answered(
        strange, LISTS["points of a cluster"], Reply(body={"value": [{"name": "p", "properties": point}]})
    )
    assert (found.partial, found.complete) == (partial, not partial)


@pytest.mark.parametrize(
    ("told", "threat", "unclear"),
    [
        ({"threatStatus": 0}, False, ""),
        ({"threatStatus": "Healthy"}, False, ""),
        ({"threatStatus": None}, False, ""),
        ({}, False, ""),
        ({"threatStatus": "UnHealthy"}, True, ""),
        ({"threatStatus": "WARNING"}, True, ""),
        ({"threatStatus": "Unknown"}, False, "Unknown"),
        ({"threatStatus": "NotAvailable"}, False, "NotAvailable"),
        ({"threatStatus": 2}, False, "2"),
        ({"threatStatus": "Encrypted"}, False, "Encrypted"),
        ({"threatStatus": 2, "threatInfo": [{"threatState": "Active"}]}, True, ""),
        ({"threatStatus": 0, "threatInfo": [{}]}, True, ""),
        ({"threatStatus": 0, "threatInfo": []}, False, ""),
        ({"threatStatus": "Healthy", "threatInfo": [{"threatState": "Resolved"}]}, False, ""),
    ],
)
async def test_a_point_says_of_threats_what_is_known_and_repeats_the_words_that_nobody_knows(
    strange: World, told: dict[str, Any], unclear: str, *, threat: bool
) -> None:
    point = {"objectType": "IaasVMRecoveryPoint", "recoveryPointTime": "2027-01-15T08:00:00Z", **told}
    (found,) = await answered(
        strange, LISTS["points of a machine"], Reply(body={"value": [{"name": "p", "properties": point}]})
    )
    assert (found.threat, found.unclear) == (threat, unclear)
