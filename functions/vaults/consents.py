"""What is known of the data sources that a cluster names, outside of its vaults: first whether their owners agree.

The account or machine is read for its tags, once. Only of one whose owner agrees anything else is asked.
"""

import asyncio
from collections.abc import Collection, Sequence

import msgspec

from shared.domain.errors import PermanentError
from shared.domain.vaults.consents import candidate_of, consent_error
from shared.domain.vaults.protection import Protection
from shared.domain.vaults.source import SourceCandidate, SourceOwner
from shared.domain.vaults.sources import DataSource
from shared.wiring import services

CONCURRENT_READS = 8


async def candidates_now(protection: Protection, protected: Collection[DataSource]) -> dict[str, SourceCandidate]:
    """By label, what is known of the protection's sources; of those that are `protected`, the consent alone."""
    found = await consents_now(protection.cluster_id, protection.sources, protection.listed_sources, protected)
    agreed = [s for s in protection.sources if s not in protected and found[s.label].consent == "given"]
    return found | {source.label: await _outside(protection, source, found[source.label]) for source in agreed}


async def consents_now(
    cluster: str, sources: Sequence[DataSource], listed: Collection[str], protected: Collection[DataSource]
) -> dict[str, SourceCandidate]:
    """By label, whether the owners of the sources agree that the cluster (resource id) backs them up."""
    asked, slots = {source.source_id: source for source in sources}, asyncio.Semaphore(CONCURRENT_READS)
    owners = dict(zip(asked, await asyncio.gather(*(_owner(s, slots) for s in asked.values())), strict=True))
    return {s.label: candidate_of(s, owners[s.source_id], cluster, listed, protected=s in protected) for s in sources}


async def require_consent(protection: Protection, source: DataSource) -> None:
    """Raise PermanentError unless the source's owner agrees now: since the plan, the owner may have withdrawn."""
    found = await consents_now(protection.cluster_id, [source], protection.listed_sources, ())
    if withheld := consent_error(found[source.label]):
        raise withheld


async def _owner(source: DataSource, slots: asyncio.Semaphore) -> SourceOwner | PermanentError | None:
    """What the source is in, None if it isn't there; or why that can't be read."""
    try:
        async with slots:
            return await services().provisioner.source_backups[type(source)].owner(source)
    except PermanentError as error:
        return error


async def _outside(protection: Protection, source: DataSource, known: SourceCandidate) -> SourceCandidate:
    """What is known of a source whose owner agrees, and which the vault doesn't protect."""
    if not known.exists:
        return known
    vault = await services().provisioner.source_backups[type(source)].holder(protection, source)
    return msgspec.structs.replace(known, exists=vault is not None, vault=vault or "")
