"""What a verification has made is asked to be deleted twice a day at most, by its run and by the janitor together."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from functions.engine.asking import ask
from shared.domain.restores.verification import RestorePlan, item_id, vault_of
from shared.wiring import services

DELETIONS, DAY = 2, timedelta(days=1)


async def remove(plan: RestorePlan) -> list[str]:
    """Ask for the end of all that the verification has made; the names of what is still there of it.

    Raises PermanentError "WithoutEffect" for what stays though its deletion was accepted.
    """
    return await services().verifier.copies[plan.item.kind].remove(plan, partial(_delete, plan))


async def _delete(plan: RestorePlan, what: str, request: Callable[[], Awaitable[object]]) -> None:
    async def send() -> None:
        await request()

    vault, deletion = vault_of(item_id(plan.item.id)).name, f"the deletion of {what} of verification {plan.name}"
    await ask(vault, deletion, send, times=DELETIONS, within=DAY)
