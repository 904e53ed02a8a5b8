"""A vault of a protection, of either service, with what lets it protect: its policies and roles."""

from collections.abc import Callable
from typing import Any

from functions.engine.activities import Activity
from functions.engine.durable import Runbook, Steps
from functions.vaults.attempts import ROLE_PROBE_INTERVAL
from functions.vaults.steps import ensure_guard, ensure_role, ensure_vault
from shared.domain.vaults.findings import FoundVault
from shared.domain.vaults.plan import ProtectionPlan, lacking
from shared.domain.vaults.protection import Grant
from shared.domain.vaults.source import VaultService


def build_vault(
    run: Runbook,
    plan: ProtectionPlan,
    service: VaultService,
    grants: Callable[[str], list[Grant]],
    *steps: tuple[Activity[Any, Any], Any],
) -> Steps[FoundVault]:
    """The vault, then at once `steps` and the roles that its identity (object id) needs, then its Resource Guard."""
    required = plan.protection.requirements(service)
    vault: FoundVault = yield from run.step(ensure_vault, required, every=ROLE_PROBE_INTERVAL)
    roles = [(ensure_role, role) for role in lacking(plan, grants(vault.principal))]
    yield from run.steps(*steps, *roles, every=ROLE_PROBE_INTERVAL)
    if plan.protection.terms.guard:
        yield from run.step(ensure_guard, required, every=ROLE_PROBE_INTERVAL)
    return vault
