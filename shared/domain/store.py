"""All that Meshward keeps in its store, from which docs/store.md follows. `policy.json` alone is written by people."""

from typing import Any

from shared.domain import selftest
from shared.domain.documents import Document, Mark
from shared.domain.restores import checks as verdicts
from shared.domain.restores import choice, history, lease, manifest, sending, staging, watch
from shared.domain.trust import state
from shared.domain.vaults import binding, census, findings, release

STORE: tuple[Mark | Document[Any], ...] = (
    state.ROTATION,
    manifest.MANIFEST,
    choice.SAMPLED_OUT,
    verdicts.VERDICT,
    history.HISTORY,
    lease.LEASE,
    lease.RELEASE,
    sending.SEND,
    sending.READ,
    staging.TURN,
    staging.BEFORE,
    watch.PUBLISHED,
    watch.WATERMARK,
    binding.IDENTITY,
    census.CENSUS,
    findings.REQUESTED,
    release.ABSENCE,
    release.RELEASED,
    selftest.TRIED,
)
