"""The data sources that a cluster names by tag are protected by vaults of the cluster's own, of the service that fits.

    vault ──▶ policies ──▶ for each storage account and each other data source, side by side:
                             roles      of the vault's identity, if the owner agrees
                             register   an account by the vault's identity, until its role acts
                             inquire    before that the vault knows none of its shares
                             protect    each share, found by its name; others at once

A source that can't be taken holds up no other: in the end the run fails with the reason that its plan gave. Nothing is
done for it, and no vault gets a role on its account.
"""

from collections.abc import Sequence

from functions.engine.durable import Runbook, Steps
from functions.vaults.attempts import ROLE_PROBE_INTERVAL, repeat_until_it_succeeds
from functions.vaults.building import build_vault
from functions.vaults.source_steps import (
    SourceGrant,
    ensure_source_policy,
    ensure_source_role,
    start_inquiry,
    start_protecting,
    start_registration,
)
from shared.domain.errors import PermanentError
from shared.domain.resource_id import folded, name_of
from shared.domain.vaults.plan import ProtectionPlan, lacking
from shared.domain.vaults.protection import SourceRequest, source_grants
from shared.domain.vaults.source import VaultService
from shared.domain.vaults.sources import DataSource


def protect_sources(run: Runbook, plan: ProtectionPlan) -> Steps[None]:
    """Protect the data sources; raises PermanentError, once the rest is protected, for those that can't be."""
    if plan.source_changes:
        services = dict.fromkeys(source.service for source in plan.protection.sources)
        yield from run.chains(*(_protect_by(service, run, plan) for service in services))
    if plan.refused:
        raise PermanentError("VolumesRefused", "; ".join(plan.refused))


def _protect_by(service: VaultService, run: Runbook, plan: ProtectionPlan) -> Steps[None]:
    """Protect the data sources of the vault of this service."""
    sources = [source for source in plan.sources if source.service is service]
    requests = [SourceRequest(protection=plan.protection, source=source) for source in sources]
    one_of_a_kind = {request.source.policies: request for request in requests}
    policies = [(ensure_source_policy, request) for request in one_of_a_kind.values()]
    vault = yield from build_vault(run, plan, service, lambda _: [], *policies)
    by_holder: dict[str, list[DataSource]] = {}
    for source in plan.accepted:
        if source.service is service:
            by_holder.setdefault(folded(source.source_id), []).append(source)
    yield from run.chains(*(_protect_in(run, plan, vault.principal, some) for some in by_holder.values()))


def _protect_in(run: Runbook, plan: ProtectionPlan, principal: str, sources: Sequence[DataSource]) -> Steps[None]:
    """One data source, or those of one account: the roles that the vault's identity (object id) lacks, then itself."""
    protection, first = plan.protection, sources[0]
    grants = lacking(plan, source_grants(first.service, [first], principal))
    requests = [SourceGrant(protection=protection, source=first, grant=grant) for grant in grants]
    yield from run.steps(*((ensure_source_role, request) for request in requests), every=ROLE_PROBE_INTERVAL)
    if changing := [SourceRequest(protection=protection, source=s) for s in sources if s in plan.sources]:
        yield from _protect_in_turn(run, changing)


def _protect_in_turn(run: Runbook, requests: list[SourceRequest]) -> Steps[None]:
    """The vault takes one change of an account at a time."""
    first = requests[0]
    if first.source.in_account:
        vault = first.protection.requirements(first.source.service).label
        refused = f"storage account {name_of(first.source.source_id)} can't be registered with {vault}"
        yield from repeat_until_it_succeeds(run, start_registration, first, refused)
        yield from repeat_until_it_succeeds(run, start_inquiry, first, refused)
    for request in requests:
        yield from repeat_until_it_succeeds(run, start_protecting, request, f"{request.source.label} isn't protected")
