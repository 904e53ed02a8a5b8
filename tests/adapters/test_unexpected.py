"""Answers that nobody recorded are met defensively: whatever Azure answers instead, the app ends with a named reason.

For each call that docs/fidelity.md has from documentation or from memory, each status comes with each body. The flow
may only wait or refuse, with a reason, and sends nothing else.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from itertools import product
from typing import Any, NamedTuple

import msgspec
import pytest

from local.cloud.clock import Clock
from local.cloud.wire import InjectedFault, Reply
from local.cloud.world import World
from local.docs_fidelity import fidelity
from shared.adapters.azure.clusters import Clusters
from shared.adapters.azure.resources import AzureResources
from shared.adapters.azure.workload_identity import WorkloadIdentities
from shared.adapters.backup.backup_vaults import BackupVaults
from shared.adapters.backup.cluster_backups import ClusterBackups
from shared.adapters.backup.cluster_restores import ClusterRestores
from shared.adapters.backup.machine_restores import MachineRestores
from shared.adapters.backup.recovery_services_vaults import RecoveryServicesVaults
from shared.adapters.backup.share_backups import ShareBackups
from shared.domain.errors import PermanentError, TemporaryError
from shared.domain.operations import concluded
from shared.domain.resource_id import ResourceId
from shared.domain.restores.items import MachineItem, RecoveryPoint
from shared.domain.restores.verification import job_id
from shared.domain.states import JOB
from shared.domain.vaults.findings import Found, require_settled
from shared.domain.vaults.protection import SourceOperation
from shared.domain.vaults.release import may_delete
from shared.domain.vaults.shares import FileShare
from shared.domain.vaults.source import VaultService
from shared.domain.vaults.strength import require_strong
from tests.worlds import sdk
from tests.worlds.facts.plans import NAME, a_plan
from tests.worlds.facts.protections import PROTECTION, VAULT
from tests.worlds.settings import settings
from tests.worlds.times import NOW

STATUSES = (200, 201, 202, 204, 206, 304, 400, 403, 404, 409, 410, 418, 429, 500, 503)
BODIES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a page of HTML": {"content": b"<html>Service Unavailable</html>"},
    "null": {"content": b"null", "headers": {"Content-Type": "application/json"}},
    "half an object": {"content": b'{"value": [', "headers": {"Content-Type": "application/json"}},
    "a text": {"body": "Succeeded"},
    "a number": {"body": 7},
    "a list": {"body": []},
    "an empty object": {"body": {}},
    "no properties": {"body": {"id": "/x", "properties": None}},
    "empty properties": {"body": {"id": "/x", "properties": {}}},
    "a list as properties": {"body": {"id": "/x", "properties": []}},
    "words that nobody knows": {
        "body": {
            "id": "/x",
            "status": "Dreaming",
            "properties": {"status": "Dreaming", "provisioningState": "Dreaming", "registrationStatus": "Dreaming"},
        }
    },
    "numbers for words": {"body": {"status": 7, "properties": {"status": 7, "provisioningState": 7}}},
    "no value": {"body": {"value": None}},
    "an object as value": {"body": {"value": {}}},
    "nothing listed": {"body": {"value": [None]}},
    "an empty object listed": {"body": {"value": [{}]}},
    "an unknown error": {"body": {"error": {"code": "SomethingStrange", "message": "strange"}}},
    "a text as error": {"body": {"error": "strange"}},
}
SHARE = FileShare(source_id=PROTECTION.account_id, name="carts")
ASKED = SourceOperation(protection=PROTECTION, source=SHARE, operation="0f0e0d0c")
RSV = PROTECTION.requirements(VaultService.RECOVERY_SERVICES)
BV = PROTECTION.requirements(VaultService.BACKUP)
MACHINE = MachineItem(
    id=f"{PROTECTION.recovery_services_vault_id}/backupFabrics/Azure/protectionContainers/c/protectedItems/vm;c;rg;vm",
    source_id=str(ResourceId(PROTECTION.account_id).child("x", "y")),
)
POINT = RecoveryPoint(id="p", time=NOW, complete=True)
PLAN = a_plan(item=MACHINE, point=POINT, target_id=PROTECTION.snapshot_group_id, staging="stage")
CLUSTER_JOB = job_id(f"{PROTECTION.backup_vault_id}/backupJobs/{NAME}")
RESTORED = a_plan(item=msgspec.structs.replace(a_plan().item, id=PROTECTION.instance_id)).item


class Azure:
    """What asks Azure, as the app does."""

    def __init__(self, world: World) -> None:
        def made[A](adapter: Callable[..., A]) -> A:
            return adapter(settings(world), **sdk.aio(world, world.entra.add("app")))

        self.backup_vaults, self.recovery_vaults = made(BackupVaults), made(RecoveryServicesVaults)
        self.cluster_backups, self.share_backups = made(ClusterBackups), made(ShareBackups)
        self.cluster_restores, self.machine_restores = made(ClusterRestores), made(MachineRestores)
        self.resources, self.clusters, self.identities = made(AzureResources), made(Clusters), made(WorkloadIdentities)


class Asking(NamedTuple):
    """A call, and what the flow concludes from its answer.

    What only `asks` is followed by a look at what became of it. `good` are statuses of recorded answers.
    """

    call: str  # as docs/fidelity.md has it
    request: str  # a pattern of method and path
    conclude: Callable[[Azure], Awaitable[Any]]
    asks: bool = False
    good: tuple[int, ...] = ()


async def hardened(azure: Azure) -> None:
    await azure.backup_vaults.harden_vault(PROTECTION, VAULT)


async def hardened_recovery_vault(azure: Azure) -> None:
    await azure.recovery_vaults.harden_vault(PROTECTION, VAULT)


async def synced(azure: Azure) -> None:
    await azure.cluster_backups.start_sync(PROTECTION)


async def deleted_backup_vault(azure: Azure) -> None:
    await azure.backup_vaults.delete_vault(PROTECTION)


async def backup_vault(azure: Azure) -> None:
    require_strong(BV, await azure.backup_vaults.vault(PROTECTION))


async def recovery_vault(azure: Azure) -> None:
    require_strong(RSV, await azure.recovery_vaults.vault(PROTECTION))


async def made_backup_vault(azure: Azure) -> None:
    await azure.backup_vaults.create_vault(PROTECTION, "GeoRedundant")


async def made_recovery_vault(azure: Azure) -> None:
    await azure.recovery_vaults.create_vault(PROTECTION, "GeoRedundant")


async def holders(azure: Azure) -> None:
    await azure.cluster_backups.holders(PROTECTION)


async def backup_job(azure: Azure) -> None:
    JOB.require_known("the job", (await azure.cluster_restores.job(CLUSTER_JOB)).status)


async def restore_job(azure: Azure) -> None:
    JOB.require_known("the job", (await azure.cluster_restores.restore_job(RESTORED, NAME)).status)


async def registered(azure: Azure) -> None:
    if not await azure.share_backups.registered(PROTECTION, SHARE):
        raise TemporaryError("UnderWay", "it isn't there, so it is registered")


async def registration(azure: Azure) -> None:
    result = concluded("it", await azure.share_backups.operation(ASKED))
    if result.code:
        raise TemporaryError("UnderWay", "it has failed, so it is tried again")


async def item_operation(azure: Azure) -> None:
    result = concluded("it", await azure.recovery_vaults.operation(PROTECTION, ASKED.operation, "it"))
    assert result.code, "nobody said that it succeeded"


async def asked_validation(azure: Azure) -> None:
    assert await azure.machine_restores.validate(PLAN)


async def validation(azure: Azure) -> None:
    await azure.machine_restores.require_validated(MACHINE, "0f0e0d0c")


async def group(azure: Azure) -> None:
    require_settled("it", await azure.resources.group(PROTECTION, "rg"))


async def deletable_group(azure: Azure) -> None:
    found = await azure.resources.group(PROTECTION, "rg")
    if found is None:
        raise TemporaryError("UnderWay", "it is gone")
    assert not may_delete("it", found), "a DELETE of what is in a state that nobody knows"


async def deleted_group(azure: Azure) -> None:
    await azure.resources.delete_group(PROTECTION, "rg")


async def made_group(azure: Azure) -> Found:
    return await azure.resources.create_group(PROTECTION, "rg")


async def clusters(azure: Azure) -> None:
    await azure.clusters.list()


async def made_extension(azure: Azure) -> None:
    await azure.resources.create_extension(PROTECTION, "https://blobs/")


async def made_identity(azure: Azure) -> None:
    await azure.identities.create(PROTECTION)


async def deleted_identity(azure: Azure) -> None:
    await azure.identities.delete(PROTECTION)


async def identity(azure: Azure) -> None:
    if await azure.identities.identity(PROTECTION) is None:
        raise TemporaryError("UnderWay", "it isn't there, so it is made")


CALLS = (
    Asking("the change of a Backup vault's settings", "PATCH .*/backupVaults/", hardened, asks=True),
    Asking("the change of a Backup vault's settings", "GET .*/backupVaults/", backup_vault),
    Asking(
        "a second change of a Recovery Services vault while one runs",
        "PATCH .*RecoveryServices/vaults/",
        hardened_recovery_vault,
        asks=True,
    ),
    Asking("a Backup vault that is gone at once", "DELETE .*/backupVaults/", deleted_backup_vault, asks=True),
    Asking("the backup instances of a cluster, in whatever vault", "GET .*/backupInstances$", holders),
    Asking("the sync of a backup instance", "POST .*/sync$", synced, asks=True),
    Asking("a Backup vault with the name of a soft-deleted one", "PUT .*/backupVaults/", made_backup_vault, asks=True),
    Asking("a redundancy that a region lacks", "PUT .*RecoveryServices/vaults/", made_recovery_vault, asks=True),
    Asking("a redundancy that a region lacks", "GET .*RecoveryServices/vaults/", recovery_vault),
    Asking("jobs of clusters that end with warnings", "GET .*/backupJobs/", backup_job),
    Asking("jobs of clusters that end with warnings", "GET .*/backupJobs/", restore_job),
    Asking("one registered storage account", "GET .*/protectionContainers/", registered),
    Asking("failed registrations of storage accounts", "GET .*/operationResults/", registration, good=(204,)),
    Asking("failed operations on protected items", "GET .*/backupOperations/", item_operation),
    Asking("the validation of a machine's restore", "POST .*/backupTriggerValidateOperation", asked_validation),
    Asking("the validation of a machine's restore", "GET .*/backupValidateOperationsStatuses/", validation),
    Asking("the deletion of resource groups", "DELETE .*/resourcegroups/", deleted_group, asks=True),
    Asking("the deletion of resource groups", "GET .*/resourcegroups/", deletable_group),
    Asking("other calls about resource groups", "GET .*/resourcegroups/", group),
    Asking("other calls about resource groups", "PUT .*/resourcegroups/", made_group, asks=True),
    Asking("the clusters of a subscription", "GET .*/managedClusters", clusters),
    Asking("changes of extensions, and their operations", "PUT .*/extensions/", made_extension, asks=True),
    Asking(
        "an identity or a role assignment that is there already, or not any more",
        "PUT .*/userAssignedIdentities/",
        made_identity,
        asks=True,
    ),
    Asking(
        "an identity or a role assignment that is there already, or not any more",
        "DELETE .*/userAssignedIdentities/",
        deleted_identity,
        asks=True,
    ),
    Asking(
        "an identity or a role assignment that is there already, or not any more",
        "GET .*/userAssignedIdentities/",
        identity,
    ),
)


@pytest.fixture
async def strange(clock: Clock) -> AsyncIterator[World]:
    """A world that isn't held against specifications, which know no such answers."""
    world = World(clock)
    await world.start()
    yield world
    await sdk.close(world)
    await world.stop()


def answers(good: Collection[int]) -> Iterator[tuple[str, Reply]]:
    """Each status but the good ones, with each body."""
    for status, (name, body) in product(STATUSES, BODIES.items()):
        if status not in good:
            yield f"{status} with {name}", Reply(status=status, **body)


def test_each_call_that_is_remembered_alone_is_met_with_unexpected_answers() -> None:
    assert {asking.call for asking in CALLS} == {each.call for each in fidelity().remembered}


@pytest.mark.parametrize("asking", CALLS, ids=lambda asking: asking.conclude.__name__)
async def test_whatever_azure_answers_ends_in_a_named_reason(strange: World, asking: Asking) -> None:
    azure = Azure(strange)
    for case, reply in answers(asking.good):
        before = len(strange.wire.exchanges)
        fault = strange.wire.inject(InjectedFault(asking.request, "answer", reply=reply))
        reason = await reason_of(asking, azure, case)
        sent = [exchange.method for exchange in list(strange.wire.exchanges)[before:]]
        assert fault.times == 0, f"{case}: {asking.request} wasn't sent"
        assert reason, case
        assert sent == [asking.request.partition(" ")[0]], f"{case}: {reason}"


async def reason_of(asking: Asking, azure: Azure, case: str) -> str:
    """The reason that it ends with; any other exception, or success without a ground, is an error."""
    try:
        await asking.conclude(azure)
    except (PermanentError, TemporaryError) as error:
        return error.reason
    except Exception as error:
        raise AssertionError(f"{case}: {error!r}") from error
    assert asking.asks, f"{case} was taken for good"
    return "asked"
