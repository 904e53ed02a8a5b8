"""Settings → Services: every adapter, built on first use, so that an event pays only for what it needs.

An adapter belongs to a duty, whose identity makes its calls: `duty` says which.
"""

import logging
import os
import time
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING

from shared.domain.admission import AllowList
from shared.domain.errors import PermanentError
from shared.domain.policy import POLICY, Policy, policy_of
from shared.settings import Settings
from shared.wiring.provisioner import Provisioner
from shared.wiring.rotator import Rotator
from shared.wiring.verifier import Verifier

if TYPE_CHECKING:
    from shared.adapters.azure.ledger import Ledger
    from shared.adapters.azure.tokens import TokenVerifier


class Services:
    """The outer world as the flows see it: by duty, and what all duties share."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.rotator = Rotator(settings, self.allow_list)
        self.provisioner = Provisioner(settings, self.allow_list)
        self.verifier = Verifier(settings, self.allow_list)

    def now(self) -> datetime:
        """The present, in UTC."""
        return datetime.fromtimestamp(time.time(), UTC)

    @property
    def ledger(self) -> "Ledger":
        """The app's store, which the verifier keeps for all duties."""
        return self.verifier.ledger

    @property
    def evidence(self) -> "Ledger":
        """What nobody can change: documents that say so (`Mark.evidence`), which the verifier keeps for all duties."""
        return self.verifier.evidence

    async def policy(self) -> Policy:
        """The policy document, read at each call; raises PermanentError if it is refused.

        Only people may write where it is read from. One that is in the store alone, where older releases read it, isn't
        taken for none.
        """
        document = await self.verifier.policies.read(POLICY)
        if document is None and await self.ledger.read(POLICY) is not None:
            raise PermanentError(
                "PolicyElsewhere", f"copy {POLICY} from {self.settings.store_url} to {self.settings.policy_url}"
            )
        return policy_of(document)

    async def allow_list(self) -> AllowList:
        """Which clusters belong to which trust domain, read at each call; raises PermanentError if it is refused."""
        return (await self.policy()).allow_list

    @cached_property
    def tokens(self) -> "TokenVerifier":
        """The tokens of callers."""
        from shared.adapters.azure.tokens import TokenVerifier

        return TokenVerifier(self.settings)


@cache
def services() -> Services:
    """The services of this process; raises Misconfigured that names every missing or wrong setting."""
    logging.getLogger("azure").setLevel(logging.WARNING)  # at INFO it logs every request with its headers
    return Services(Settings.from_env(os.environ))
