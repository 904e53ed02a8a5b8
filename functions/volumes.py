"""The volumes that a cluster names by tag get a Recovery Services vault of the cluster's own.

    vault ──▶ policy, roles ──▶ for each storage account, side by side:
                                  register   by the vault's identity, until its role acts
                                  inquire    before that the vault knows no share
                                  protect    each share, found by its name

A volume that can't be taken holds up no other. The plan has said why, and the run fails with it in the end.
"""

from datetime import timedelta
from itertools import groupby

from functions.durable import Activity, Runbook, Steps
from functions.vault_steps import Guarding, ensure_guard, ensure_role
from functions.volume_steps import (
    Volume,
    ensure_recovery_vault,
    ensure_share_policy,
    finish_inquiry,
    finish_protecting,
    finish_registration,
    start_inquiry,
    start_protecting,
    start_registration,
)
from shared.domain.errors import PermanentError
from shared.domain.vault import Protection, share_grants
from shared.domain.vault_findings import Finding
from shared.domain.vault_plan import Plan, lacking
from shared.domain.volumes import Share

PROBE = timedelta(seconds=15)  # how soon it is seen that a role acts decides how soon something is protected
ATTEMPTS = 60  # each takes a minute at least, and a role acts within minutes, seldom half an hour


def until_clean[In, Started](
    run: Runbook, start: Activity[In, Started], finish: Activity[Started, Finding], request: In, what: str
) -> Steps[None]:
    """Ask for it until it ends well: a role that doesn't act yet shows in how it ends, and nowhere else."""
    finding = Finding()
    for _ in range(ATTEMPTS):
        started = yield from run.step(start, request, every=PROBE)
        finding = yield from run.step(finish, started, every=PROBE)
        if not finding.code:
            return
    raise PermanentError(finding.code, f"{what}: {finding.message}")


def volumes_protected(run: Runbook, plan: Plan) -> Steps[None]:
    """Protect the volumes; raises PermanentError, once the rest is protected, for those that can't be."""
    wanted, todo = plan.wanted, plan.volumes
    if todo.changes:
        vault = yield from run.step(ensure_recovery_vault, wanted, every=PROBE)
        roles = lacking(plan, share_grants(wanted, vault.principal))
        yield from run.together((ensure_share_policy, wanted), *((ensure_role, role) for role in roles))
        if wanted.terms.guard:
            yield from run.step(ensure_guard, Guarding(wanted=wanted, recovery=True), every=PROBE)
        accounts = groupby(todo.shares, key=lambda share: share.account_id)
        yield from run.side_by_side(*(_account(run, wanted, list(shares)) for _, shares in accounts))
    if todo.refused:
        raise PermanentError("VolumesRefused", "; ".join(todo.refused))


def _account(run: Runbook, wanted: Protection, shares: list[Share]) -> Steps[None]:
    """The shares of one account, one after the other: the vault takes one change of an account at a time."""
    first = Volume(wanted=wanted, share=shares[0])
    account = f"storage account {shares[0].account} can't be registered with {wanted.recovery_bar.what}"
    yield from until_clean(run, start_registration, finish_registration, first, account)
    yield from until_clean(run, start_inquiry, finish_inquiry, first, account)
    for share in shares:
        volume = Volume(wanted=wanted, share=share)
        yield from until_clean(run, start_protecting, finish_protecting, volume, f"share {share.label} isn't protected")
