"""The janitor: what verifications have left behind is removed, and reported until it is gone."""

from functions.engine.client import Client
from functions.engine.logs import log
from functions.engine.many import one_of_many
from functions.restores.documents import placed, sends
from functions.restores.removal import remove
from shared.domain.errors import MeshwardError
from shared.domain.restores.lease import LEASE, release_path, retained_since, unreleased, verification_of
from shared.domain.restores.sending import DAY, may_show_up
from shared.domain.restores.signals import RestoreClearedAway, RestoreLeftOver
from shared.domain.restores.verification import instance_of, still_open
from shared.wiring import services


async def clear(client: Client) -> None:
    """Remove what runs that have ended left behind; one copy that can't be removed doesn't hold up the others."""
    world = services()
    for lease in unreleased(await world.ledger.list(LEASE.folder(), after=retained_since(world.now()))):
        run = await client.latest(instance_of(verification_of(lease)))
        if run and run.is_active:
            continue
        try:
            with one_of_many(lease):
                left = await _cleared(lease)
        except MeshwardError as error:
            left = [str(error)]
        if left:
            log(RestoreLeftOver(lease=lease, left=", ".join(left[:5])))


async def _cleared(lease: str) -> list[str]:
    """What is still there of a lease; it is released when nothing is, and nothing can come any more."""
    world = services()
    plan = await placed(await world.ledger.get(LEASE, lease))
    left = await remove(plan)
    sent = await sends(plan.name)
    restores = await world.verifier.restores[plan.item.kind].restores(plan.item, plan.planned - DAY)
    left += still_open(restores)
    if may_show_up(restores, plan, sent, world.now()):
        left.append("the restore was sent and its job isn't listed yet")
    if not left:
        await world.ledger.create(release_path(lease), b"")
        log(RestoreClearedAway(lease=lease))
    return left
