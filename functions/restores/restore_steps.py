"""The steps that restore: isolate the copy, send the restore once, follow its job. Each looks first."""

import azure.durable_functions as df
import msgspec

from functions.engine.activities import activity
from functions.restores.documents import sends, spend_read
from shared.domain.errors import NotConverged
from shared.domain.restores.lease import LEASE, lease_path
from shared.domain.restores.sending import DAY, SEND, next_act
from shared.domain.restores.verification import (
    RestoreJob,
    RestoreOperation,
    RestorePlan,
    item_id,
    vault_of,
)
from shared.domain.states import JOB
from shared.wiring import services

app = df.Blueprint()


@activity(app)
async def isolate(plan: RestorePlan) -> RestorePlan:
    """Close the isolated copy off before anything is in it. A lease, written first, says that it may be there."""
    await services().ledger.create(lease_path(plan), LEASE.encoded(plan))
    await services().verifier.copies[plan.item.kind].isolate(plan)
    return plan


@activity(app)
async def start_restore_validation(plan: RestorePlan) -> RestoreOperation:
    """Ask Azure Backup whether it could make the restore now."""
    return RestoreOperation(plan=plan, operation=await services().verifier.validations[plan.item.kind].validate(plan))


@activity(app)
async def finish_restore_validation(asked: RestoreOperation) -> RestorePlan:
    """The plan, once Azure Backup has found nothing against it."""
    await services().verifier.validations[asked.plan.item.kind].require_validated(asked.plan.item, asked.operation)
    return asked.plan


@activity(app)
async def start_restore(plan: RestorePlan) -> RestoreOperation:
    """Send the restore, unless it was sent already; that it is being sent is written down first."""
    world, vault, now = services(), services().verifier.restores[plan.item.kind], services().now()
    sent = await sends(plan.name)
    await spend_read(item_id(plan.item.id))
    restores = await vault.restores(plan.item, now - DAY)
    act = next_act(restores, plan.target, sent, now)
    if act != "send":
        return RestoreOperation(plan=plan, job=act.id)
    if not await world.ledger.create(SEND.path(verification=plan.name, when=f"{now:%Y%m%dT%H%M%SZ}"), b""):
        raise NotConverged("RestoreSent", "another worker is sending the restore")
    operation = await vault.send(plan)
    if not operation:
        raise NotConverged("RestoreSent", "the restore was accepted, and no operation named that leads to its job")
    return RestoreOperation(plan=plan, operation=operation)


@activity(app)
async def find_restore_job(started: RestoreOperation) -> RestoreOperation:
    """The job that the accepted request became."""
    if started.job:
        return started
    job = await services().verifier.restores[started.plan.item.kind].job_of(started.plan.item, started.operation)
    return msgspec.structs.replace(started, job=job)


@activity(app)
async def follow_restore(started: RestoreOperation) -> RestoreJob:
    """The restore job, once it has ended, well or not.

    Resource Graph is asked while it runs, since it counts no reads; the vault has the last word.
    """
    world, item = services(), started.plan.item
    id = item_id(item.id)
    seen = await world.verifier.inventory.job(vault_of(id), started.job)
    if seen and seen.ended is None:
        JOB.require_known("the restore job", seen.status)
        raise NotConverged("RestoreRunning", f"the restore job is {seen.status}")
    await spend_read(id)
    job = await world.verifier.restores[item.kind].restore_job(item, started.job)
    if JOB.require_known("the restore job", job.status) == "pending":
        raise NotConverged("RestoreRunning", f"the restore job is {job.status}")
    return job
