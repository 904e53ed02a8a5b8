"""The steps that plan a verification: what is restored, from which recovery point, to where, or why it is skipped."""

from secrets import token_hex

import azure.durable_functions as df
import msgspec

from functions.engine.activities import activity
from functions.restores.documents import history_of, manifest_paths, spend_read
from shared.domain.resource_id import ResourceId, same
from shared.domain.restores.checks import VERDICT, VerificationResult
from shared.domain.restores.choice import (
    SAMPLED_OUT,
    Choice,
    ChosenPoint,
    SampledOut,
    choose_point,
    draw,
    manifest_for,
    older_point,
    plan_of,
    sampling_reason,
)
from shared.domain.restores.history import History, empty_history
from shared.domain.restores.items import Item, kind_of
from shared.domain.restores.manifest import MANIFEST, manifest_of, manifest_path
from shared.domain.restores.policy import VerifyPolicy
from shared.domain.restores.verification import (
    RestoreSource,
    Verification,
    item_id,
    job_id,
    of_job,
    require_configured,
    require_finished_backup,
)
from shared.wiring import services

app = df.Blueprint()


class EarlierRecords(msgspec.Struct, frozen=True, kw_only=True):
    """What the store has already of a verification."""

    result: VerificationResult | None
    sampled: SampledOut | None


@activity(app)
async def find_verdict(verification: Verification) -> EarlierRecords:
    """What an earlier run, whose history is gone, has found."""
    ledger, name = services().ledger, verification.name
    path = VERDICT.path(verification=name)
    result = await services().evidence.find(VERDICT, path)
    if result is None and verification.job_id:
        result = await _former_verdict(verification.job_id)
    sampled = await ledger.find(SAMPLED_OUT, SAMPLED_OUT.path(verification=name))
    return EarlierRecords(result=result, sampled=sampled)


async def _former_verdict(job: str) -> VerificationResult | None:
    """What 0.1.0 has written to the ledger under the job's own name, which jobs of other vaults may have, too."""
    path = VERDICT.path(verification=job_id(job).name.lower())
    found = await services().ledger.find(VERDICT, path)
    return found if found and same(found.job_id, job) else None


@activity(app)
async def describe_source(verification: Verification) -> RestoreSource:
    """The backup as its vault reports it, its item, and where that is restored to."""
    id = job_id(verification.job_id) if verification.job_id else item_id(verification.item_id)
    world, job = services(), None
    if verification.job_id:
        await spend_read(id)
        job = require_finished_backup(await world.verifier.restores[kind_of(id)].job(id))
        item = await world.verifier.restores[job.kind].item(job)
    else:
        item = await world.verifier.restores[kind_of(id)].item_of(verification.item_id)
    source = RestoreSource(verification=verification, item=item, job=job)
    return await world.verifier.copies[item.kind].with_target(source, await world.policy())


async def require_job(id: ResourceId) -> None:
    """Raise NotFound for a job that its vault doesn't have, and InvalidEvent for one outside the fleet."""
    require_configured(id, services().settings.subscriptions)
    await spend_read(id)
    await services().verifier.restores[kind_of(id)].job(id)


@activity(app)
async def take_manifest(source: RestoreSource) -> RestoreSource:
    """Write down what the item holds; the first manifest of a verification stays."""
    world, name = services(), source.verification.name
    own = [path for _, path in await manifest_paths(source.item) if path.endswith(f"-{name}.json")]
    if own:
        names = (await world.ledger.get(MANIFEST, own[0])).names
        return msgspec.structs.replace(source, names=names, manifest=own[0])
    copies = world.verifier.copies[source.item.kind]
    taken = manifest_of(await copies.contents(source.item, source.trust_domain), world.now())
    path = manifest_path(source.item.id, name, taken.taken)
    await world.ledger.create(path, MANIFEST.encoded(taken))
    return msgspec.structs.replace(source, names=taken.names, manifest=path)


@activity(app)
async def choose(source: RestoreSource) -> Choice:
    """Whether the backup is verified, and the plan if it is."""
    now = services().now()
    history = await history_of(source.item.id) or empty_history(source.item)
    knobs = await knobs_of(source.item, source.trust_domain)
    reason = sampling_reason(source, history, knobs, now)
    if not reason.verify:
        return Choice(reason=reason.reason, message=reason.message)
    point = await _point(source, history, knobs)
    plan = plan_of(source, point, history, knobs, now, secret=token_hex())
    manifest = manifest_for(await manifest_paths(source.item), plan, own=source.manifest)
    return Choice(reason=reason.reason, message=reason.message, plan=msgspec.structs.replace(plan, manifest=manifest))


@activity(app)
async def record_sampled_out(sampled: SampledOut) -> SampledOut:
    """Write down that a backup isn't verified, and why."""
    ledger, path = services().ledger, SAMPLED_OUT.path(verification=of_job(sampled.job_id).name)
    await ledger.create(path, SAMPLED_OUT.encoded(sampled))
    return await ledger.get(SAMPLED_OUT, path)


async def knobs_of(item: Item, trust_domain: str) -> VerifyPolicy:
    """The knobs that hold for the verification of an item."""
    policy = await services().policy()
    return policy.at(trust_domain, item.source_id).verify


async def _point(source: RestoreSource, history: History, knobs: VerifyPolicy) -> ChosenPoint:
    """The point that is asked for, that of the job, or the latest; an older one if that is drawn."""
    found = await services().verifier.restores[source.item.kind].points(source.item)
    point = choose_point(found, source)
    if source.verification.asked or draw(source.verification.name, "older") >= knobs.older_point_rate:
        return point
    taken = [at for at, path in await manifest_paths(source.item) if path != source.manifest]
    older = older_point(found, source, point.point.time, taken, history)
    return point._replace(point=older) if older else point
