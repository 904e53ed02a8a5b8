"""The steps that restore: isolate the copy, send the restore once, follow its job. Each looks first."""

import azure.durable_functions as df
import msgspec

from functions.engine.activities import activity
from functions.restores.documents import placed, sends, spend_read
from functions.restores.plan_steps import knobs_of
from shared.domain.errors import NotConverged, PermanentError
from shared.domain.restores.answers import answer_of
from shared.domain.restores.lease import LEASE, PLACES, Places, lease_path
from shared.domain.restores.outward import OUTWARD_TRIES, not_closed, outward_calls
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
    """Close the isolated copy off before anything is in it, and prove that it is closed; the plan, with what was made.

    A lease, written first, says that it may be there.
    """
    await services().ledger.create(lease_path(plan), LEASE.encoded(plan))
    plan = await _made(plan)
    await services().verifier.copies[plan.item.kind].require_isolated(plan)
    if plan.item.has_workloads:
        await _require_closed(plan)
    return plan


async def _made(plan: RestorePlan) -> RestorePlan:
    """The plan with the UIDs of the namespaces that were made for it: once, and written down."""
    found = await placed(plan)
    if found.uids:
        return found
    uids = await services().verifier.copies[plan.item.kind].isolate(plan)
    if uids:
        path = PLACES.path(verification=plan.name)
        await services().ledger.create(path, PLACES.encoded(Places(uids=uids)))
    return await placed(plan)


async def _require_closed(plan: RestorePlan) -> None:
    """Raise PermanentError if a pod in an isolated namespace reaches the API server, or none is confined there."""
    namespaces, knobs, against = services().verifier.namespaces, await knobs_of(plan.item, plan.trust_domain), ""
    for number in range(OUTWARD_TRIES):
        calls = outward_calls(plan.isolated.values(), number, knobs.probe_image)
        pods = await namespaces.call(plan, calls)
        against = not_closed(calls, [answer_of(pods.get((call.namespace, call.name))) for call in calls])
        if not against:
            await namespaces.require_confined(plan, knobs.probe_image)
            return
    raise PermanentError("NotIsolated", f"isolation isn't proven: {against}")


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
    await world.verifier.copies[plan.item.kind].require_isolated(plan)
    act = next_act(restores, plan, sent, now)
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
