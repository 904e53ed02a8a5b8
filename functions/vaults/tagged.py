"""The vaults that are there, with the tags that tell whose they are."""

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from shared.domain.vaults.tagged import TaggedVault
from shared.wiring import services

if TYPE_CHECKING:
    from shared.wiring.provisioner import Provisioner

RECENT = timedelta(minutes=1)


class Look(NamedTuple):
    """A list of vaults that was asked for."""

    at: datetime
    vaults: asyncio.Task[list[TaggedVault]]

    def serves(self, now: datetime) -> bool:
        """Whether what it has found, or will find, can be used."""
        failed = self.vaults.done() and (self.vaults.cancelled() or self.vaults.exception() is not None)
        return now - self.at < RECENT and not failed


_LOOKS: WeakKeyDictionary["Provisioner", dict[str, Look]] = WeakKeyDictionary()


async def tagged_vaults(*subscriptions: str) -> list[TaggedVault]:
    """The Backup vaults of these subscriptions, of all configured ones if none is named."""
    settings, vaults = services().settings, services().provisioner.backup_vaults
    among = subscriptions or settings.subscriptions
    return [vault for s in among for vault in await vaults.tagged(s, settings.backup_resource_group)]


async def recently_tagged_vaults(subscription: str) -> list[TaggedVault]:
    """Those of a subscription, as they were within the last minute: many clusters ask at once, and Azure limits reads.

    A vault that was made since has the names that its cluster gets without it.
    """
    looks, now = _LOOKS.setdefault(services().provisioner, {}), services().now()
    look = looks.get(subscription)
    if look is None or not look.serves(now):
        look = looks[subscription] = Look(now, asyncio.ensure_future(tagged_vaults(subscription)))
    return await asyncio.shield(look.vaults)
