"""The creation of what a protection needs: asked for once, and followed."""

from functions.engine.asking import Follow, Request, ask, forget
from shared.domain.states import PROVISIONING
from shared.domain.vaults.findings import Found


async def ask_if_absent(
    vault: str, label: str, found: Found | None, create: Request, *, follow: Follow | None = None
) -> None:
    """Ask for the creation of what isn't found, and not again before it is seen or fails."""
    what = f"the creation of {label}"
    if found is None:
        await ask(vault, what, create, follow=follow)
    elif PROVISIONING.meaning(found.state) in ("good", "bad"):
        await forget(vault, what)
