"""The volumes that a cluster names by tag get a Recovery Services vault of the cluster's own.

    vault ──▶ policies, roles ──▶ for each storage account and each machine, side by side:
                                    register   an account by the vault's identity, until its role acts
                                    inquire    before that the vault knows none of its shares
                                    protect    each share, found by its name; a machine at once

A volume that can't be taken holds up no other. The plan has said why, and the run fails with it in the end.
"""

from itertools import groupby

from functions.engine.durable import Runbook, Steps
from functions.vaults.attempts import PROBE, until_clean
from functions.vaults.steps import Guarding, ensure_guard, ensure_role
from functions.vaults.volume_steps import (
    SourcePolicy,
    SourceRequest,
    ensure_recovery_vault,
    ensure_source_policy,
    start_inquiry,
    start_protecting,
    start_registration,
)
from shared.domain.errors import PermanentError
from shared.domain.vaults.plan import ProtectionPlan, lacking
from shared.domain.vaults.protection import Protection, share_grants
from shared.domain.vaults.volumes import DataSource


def volumes_protected(run: Runbook, plan: ProtectionPlan) -> Steps[None]:
    """Protect the volumes; raises PermanentError, once the rest is protected, for those that can't be."""
    protection, todo = plan.protection, plan.volumes
    if todo.changes:
        vault = yield from run.step(ensure_recovery_vault, protection, every=PROBE)
        roles = [(ensure_role, role) for role in lacking(plan, share_grants(protection, vault.principal))]
        kinds = dict.fromkeys(source.kind for source in todo.sources)
        policies = [(ensure_source_policy, SourcePolicy(protection=protection, kind=kind)) for kind in kinds]
        yield from run.steps(*policies, *roles)
        if protection.terms.guard:
            yield from run.step(ensure_guard, Guarding(protection=protection, recovery=True), every=PROBE)
        sources = groupby(todo.sources, key=lambda source: (source.kind, source.source_id))
        yield from run.chains(*(_held(run, protection, list(some)) for _, some in sources))
    if todo.refused:
        raise PermanentError("VolumesRefused", "; ".join(todo.refused))


def _held(run: Runbook, protection: Protection, sources: list[DataSource]) -> Steps[None]:
    """A machine, or the shares of one account, in turn: the vault takes one change of an account at a time."""
    first = SourceRequest(protection=protection, source=sources[0])
    if first.source.kind == "share":
        account = f"storage account {first.source.account} can't be registered with {protection.recovery_bar.what}"
        yield from until_clean(run, start_registration, first, account)
        yield from until_clean(run, start_inquiry, first, account)
    for source in sources:
        volume = SourceRequest(protection=protection, source=source)
        yield from until_clean(run, start_protecting, volume, f"{source.label} isn't protected")
