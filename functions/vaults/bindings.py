"""Backup workloads of a protected cluster in a mesh get an identity, and may connect to no other hosts than they need.

ensure_identity    a user-assigned identity of the cluster's own
ensure_federation  Entra takes the tokens of the backup service account for it
ensure_policies    the mesh lets the backup namespace reach Azure Backup and Entra, and enforces that
record_binding     the identity map's entry, which says what the identity may ask of Meshward

Once the cluster is gone, its last entry allows nothing (close_binding), and the release deletes the identity.
"""

from functools import partial

import azure.durable_functions as df

from functions.engine.activities import activity
from functions.engine.durable import Runbook, Steps
from functions.vaults.creations import ask_if_absent
from functions.vaults.planning import require_running
from functions.vaults.steps import POLL_INTERVAL
from shared.domain.errors import NotConverged, TemporaryError
from shared.domain.vaults.binding import (
    IDENTITY,
    Binding,
    IdentityMapEntry,
    account_of,
    binding_of,
    closed,
    entry_of,
    federation,
    hosts,
    trust_domain_of,
)
from shared.domain.vaults.binding_linkerd import LINKERD
from shared.domain.vaults.parts import PARTS
from shared.domain.vaults.protection import Protection
from shared.wiring import services

app = df.Blueprint()

MESHES = {"linkerd": LINKERD}


def bind_workloads(run: Runbook, protection: Protection) -> Steps[None]:
    """Bind the cluster's backup workloads; without a mesh there is nothing to bind."""
    if protection.mesh not in MESHES:
        return
    run.phase("identity", cluster=protection.cluster, mesh=protection.mesh)
    binding = yield from run.step(ensure_identity, protection, every=POLL_INTERVAL)
    yield from run.step(ensure_federation, binding, every=POLL_INTERVAL)
    yield from run.step(ensure_policies, binding, every=POLL_INTERVAL)
    yield from run.step(record_binding, binding, every=POLL_INTERVAL)


@activity(app)
async def ensure_identity(protection: Protection) -> Binding:
    """The identity of the cluster's backup workloads."""
    await _require_member(protection)
    identities = services().provisioner.workload_identities
    found, label = await identities.identity(protection), PARTS["identity"].label(protection)
    await ask_if_absent(protection.backup_vault, label, found, partial(identities.create, protection))
    return binding_of(protection, found)


@activity(app)
async def ensure_federation(binding: Binding) -> Binding:
    """The federated credential, which follows the cluster's issuer."""
    identities, credential = services().provisioner.workload_identities, federation(binding.protection)
    if await identities.federation(binding.protection) != credential:
        await identities.federate(binding.protection, credential)
    return binding


@activity(app)
async def ensure_policies(binding: Binding) -> Binding:
    """The service account's identity and the mesh's policies, once the mesh acts by them."""
    protection, mesh = binding.protection, MESHES[binding.protection.mesh]
    objects = [account_of(binding.client), *mesh.policies(hosts(protection))]
    namespaces = services().provisioner.backup_namespaces
    try:
        made = await namespaces.ensure(protection.cluster_id, protection.trust_domain, objects)
    except TemporaryError as error:
        if error.reason == "Unreachable":
            await require_running(protection)
        raise
    if pending := mesh.pending(made):
        raise NotConverged("PolicyNotAccepted", pending)
    return binding


@activity(app)
async def record_binding(binding: Binding) -> IdentityMapEntry:
    """The entry of the identity map; a changed one is its next version."""
    await _require_member(binding.protection)
    return await _record(entry_of(binding, MESHES[binding.protection.mesh]))


@activity(app)
async def close_binding(protection: Protection) -> Protection:
    """The identity's last entry, by which it may do nothing."""
    found = await services().provisioner.workload_identities.identity(protection)
    _, latest = await _versions(found.principal) if found else (0, None)
    if latest:
        await _record(closed(latest))
    return protection


async def _require_member(protection: Protection) -> None:
    """Raise PermanentError unless the trust domain that the cluster claims lists it."""
    (await services().allow_list()).member(trust_domain_of(protection), protection.cluster_id)


async def _record(entry: IdentityMapEntry) -> IdentityMapEntry:
    versions, latest = await _versions(entry.principal)
    path = IDENTITY.path(principal=entry.principal, version=f"{versions + 1:04}")
    if entry != latest and not await services().ledger.create(path, IDENTITY.encoded(entry)):
        raise NotConverged("EntryChanged", f"another worker is writing the record of identity {entry.principal}")
    return entry


async def _versions(principal: str) -> tuple[int, IdentityMapEntry | None]:
    """How many versions the entry of an identity has, and the latest."""
    ledger = services().ledger
    paths = await ledger.list(IDENTITY.folder(principal=principal))
    if not paths:
        return 0, None
    return len(paths), await ledger.get(IDENTITY, paths[-1])
