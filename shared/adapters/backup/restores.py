"""What a verification asks of each kind of item, and what both kinds of vault say alike about their operations.

`shared/wiring/verifier.py` has the row of each kind: what restores it, and what looks after its isolated copies.
"""

from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from shared.adapters.azure.common import HasProperties, properties_of, unless_absent
from shared.domain.errors import NotConverged, NotFound, PermanentError, service_code, shown
from shared.domain.policy import Policy
from shared.domain.resource_id import ResourceId, name_of
from shared.domain.restores.items import ItemKind, RecoveryPoint
from shared.domain.restores.lease import Delete
from shared.domain.restores.manifest import Contents, Manifest
from shared.domain.restores.verification import BackupJob, RestoreJob, RestorePlan, RestoreSource, vault_of
from shared.domain.restores.workloads import IsolatedCopy
from shared.domain.states import OPERATION


class Restores[I](Protocol):
    """The vaults that protect items of one kind."""

    async def job(self, id: ResourceId) -> BackupJob:
        """A job as its vault reports it; raises NotFound "JobGone"."""

    async def item(self, job: BackupJob) -> I:
        """The protected item that the job was about."""

    async def item_of(self, id: str) -> I:
        """The protected item of this resource id."""

    async def points(self, item: I) -> list[RecoveryPoint]:
        """The item's recovery points, those that can't be restored included."""

    async def restores(self, item: I, since: datetime) -> list[RestoreJob]:
        """The item's restore jobs that started since; none in a vault that is gone."""

    async def send(self, plan: RestorePlan) -> str:
        """Send the restore request, once; the id of the operation that accepted it, empty if the answer names none."""

    async def job_of(self, item: I, operation: str) -> str:
        """The name of the job that an accepted request became; raises NotConverged until there is one."""

    async def restore_job(self, item: I, name: str) -> RestoreJob:
        """A restore job, with its warnings, errors and counters as far as the vault reports them."""


class Validations[I](Protocol):
    """Vaults that can be asked about a restore before it is sent."""

    async def validate(self, plan: RestorePlan) -> str:
        """Ask whether the restore could be made now; the id of the operation that ends with the answer."""

    async def require_validated(self, item: I, operation: str) -> None:
        """Raise NotConverged while the validation is under way, PermanentError with what speaks against the restore."""


class Copies[I](Protocol):
    """The sources of one kind, and their isolated copies."""

    async def with_target(self, source: RestoreSource, policy: Policy) -> RestoreSource:
        """The source with where it is restored to; raises PermanentError where nothing can take it."""

    async def contents(self, item: I, trust_domain: str) -> Contents:
        """What the source holds now."""

    async def isolate(self, plan: RestorePlan) -> dict[str, str]:
        """Make what the copy is restored to, closed off; the UIDs of namespaces that were made, by name.

        Nothing that is there is taken for ours: raises PermanentError where something of somebody else's stands in the
        way, and TemporaryError until what an earlier try has made is gone.
        """

    async def require_isolated(self, plan: RestorePlan) -> None:
        """Raise PermanentError unless what was made for the copy is still there, ours and closed off."""

    async def copy(self, plan: RestorePlan, manifest: Manifest, canaries: Sequence[str]) -> IsolatedCopy:
        """What was restored. Of a share, only those files are read whose content the manifest has, and the canaries."""

    async def remove(self, plan: RestorePlan, delete: Delete) -> list[str]:
        """Ask by `delete` for the end of all that the verification has made; the names of what is still there of it.

        What isn't proven to be its own is left alone.
        """


class BackupFault(Protocol):
    """What is read of an error that Azure Backup reports."""

    @property
    def code(self) -> str | None: ...

    @property
    def message(self) -> str | None: ...


class ReportedJob(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What both kinds of vault say alike of a job."""

    operation: str
    status: str
    start_time: datetime
    end_time: datetime | None = None


async def job_properties[P](id: ResourceId, reading: Awaitable[HasProperties[P]]) -> P:
    """What the vault reports of this job; raises NotFound "JobGone"."""
    found = await unless_absent(reading)
    if found is None:
        raise NotFound("JobGone", f"vault {vault_of(id).name} has no job {id.name} (any more)")
    return properties_of(found)


def backup_job(id: ResourceId, described: Mapping[str, object], *, kind: ItemKind, item: str, source: str) -> BackupJob:
    """The job that these properties describe."""
    job = msgspec.convert(described, ReportedJob)
    return BackupJob(
        kind=kind,
        id=str(vault_of(id).child("backupJobs", id.name)),
        operation=job.operation,
        status=job.status,
        item=item,
        source=source,
        started=job.start_time,
        ended=job.end_time,
    )


def job_of_operation(status: str, error: BackupFault | None, made: Mapping[str, object] | None) -> str:
    """The name of the job of a finished operation. A failed one answers 200, an open one may carry an error."""
    if OPERATION.require_known("the restore's operation", status) == "bad":
        code, message = (error.code, error.message) if error else (None, None)
        raise PermanentError(service_code(code) if code else "RestoreRefused", shown(message or status))
    job = (made or {}).get("jobId")
    if not job:
        raise NotConverged("RestoreAccepted", "the restore was accepted and has no job yet")
    return name_of(str(job))


def require_passed(status: str, faults: Sequence[BackupFault]) -> None:
    """Raise NotConverged while a validation is under way, PermanentError with the faults that it has found."""
    meaning = OPERATION.require_known("the restore's validation", status)
    if meaning == "pending":
        raise NotConverged("RestoreValidating", "Azure Backup is validating the restore")
    if faults or meaning == "bad":
        reported = "; ".join(shown(f"{fault.code}: {fault.message}") for fault in faults) or status
        raise PermanentError("RestoreNotPossible", f"Azure Backup can't make the restore: {reported}")
