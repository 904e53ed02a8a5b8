"""Texts that are no resource ids, handed to all adapters that ask Azure for what is named: nothing is asked."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.azure.clusters import Clusters
from shared.adapters.azure.file_shares import FileShares
from shared.adapters.azure.probes import Subscriptions
from shared.adapters.azure.staging import Staging
from shared.adapters.backup.cluster_restores import ClusterRestores
from shared.adapters.backup.disks import Disks
from shared.adapters.backup.machine_restores import MachineRestores
from shared.adapters.backup.share_restores import ShareRestores
from shared.domain.errors import PermanentError
from shared.domain.restores.items import MachineItem, ShareItem
from shared.domain.restores.verification import RestorePlan
from tests.worlds.admission import admitted
from tests.worlds.facts.plans import a_plan
from tests.worlds.ids import AT, GUID, HOSTILE, SAFE, VAULT, ids, mangled
from tests.worlds.listening import Listening, RequestMade, of

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
INSTANCE = f"{AT}/providers/Microsoft.DataProtection/backupVaults/bv/backupInstances/i"
ITEM = f"{VAULT}/backupFabrics/Azure/protectionContainers/c/protectedItems/vm;x"
CLUSTER = f"{AT}/providers/Microsoft.ContainerService/managedClusters/aks-east"
MACHINE = f"{AT}/providers/Microsoft.Compute/virtualMachines/vm-orders"
ACCOUNT = f"{AT}/providers/Microsoft.Storage/storageAccounts/stshop"

type Call = Callable[["Listening", str], Awaitable[object]]


def resting(kind: Callable[..., Any], wire: Listening) -> Any:
    """One that knows restore jobs, too, though none is asked for."""
    return of(kind, wire, restores=None, ledger=None)


def plan(**facts: Any) -> RestorePlan:
    return a_plan(**{"target_id": CLUSTER, "staging": "st1", "isolated": {"carts": "verify-carts"}, **facts})


def item(id: str = ITEM, source: str = MACHINE) -> MachineItem:
    return MachineItem(id=id, source_id=source)


def share(account: str) -> ShareItem:
    return ShareItem(id=ITEM, source_id=account, share="carts")


CALLS: Mapping[str, tuple[str, Call]] = {
    "cluster": (CLUSTER, lambda wire, id: of(Clusters, wire).get(id)),
    "kubeconfig": (CLUSTER, lambda wire, id: of(Clusters, wire).kubeconfig(admitted(id))),
    "backup instance": (INSTANCE, lambda wire, id: of(ClusterRestores, wire).item_of(id)),
    "points of an instance": (INSTANCE, lambda wire, id: of(ClusterRestores, wire).points(item(id))),
    "restores of an instance": (INSTANCE, lambda wire, id: of(ClusterRestores, wire).restores(item(id), NOW)),
    "restore job of a cluster": (INSTANCE, lambda wire, id: of(ClusterRestores, wire).restore_job(item(id), "j")),
    "restore of a cluster": (
        INSTANCE,
        lambda wire, id: of(ClusterRestores, wire).send(plan(item=item(id))),
    ),
    "target of a restore": (
        CLUSTER,
        lambda wire, id: of(ClusterRestores, wire).send(plan(item=item(INSTANCE), target_id=id)),
    ),
    "staging group of a restore": (
        AT,
        lambda wire, id: of(ClusterRestores, wire).send(plan(item=item(INSTANCE), staging_group=id)),
    ),
    "protected item": (ITEM, lambda wire, id: of(ShareRestores, wire).item_of(id)),
    "points of an item": (ITEM, lambda wire, id: of(ShareRestores, wire).points(item(id))),
    "restore job of an item": (ITEM, lambda wire, id: of(ShareRestores, wire).restore_job(item(id), "j")),
    "restore of a machine": (
        ITEM,
        lambda wire, id: of(MachineRestores, wire).send(plan(item=item(id), target_id=AT)),
    ),
    "validation of a machine's": (
        ITEM,
        lambda wire, id: of(MachineRestores, wire).validate(plan(item=item(id), target_id=AT)),
    ),
    "scratch group": (
        AT,
        lambda wire, id: of(MachineRestores, wire).send(plan(item=item(), target_id=id)),
    ),
    "machine": (MACHINE, lambda wire, id: resting(Disks, wire).contents(item(source=id))),
    "disks": (AT, lambda wire, id: resting(Disks, wire).isolate(plan(item=item(), target_id=id))),
    "staging group": (AT, lambda wire, id: resting(Staging, wire).found(plan(staging_group=id))),
    "share": (ACCOUNT, lambda wire, id: of(FileShares, wire).contents(share(id))),
    "scratch share": (
        ACCOUNT,
        lambda wire, id: of(FileShares, wire).isolate(plan(item=share(id))),
    ),
    "system topics": (GUID, lambda wire, id: of(Subscriptions, wire).system_topics(id)),
    "clusters": (GUID, lambda wire, id: of(Clusters, wire, id).list()),
}
each = pytest.mark.parametrize(("right", "call"), CALLS.values(), ids=CALLS.keys())


async def asked(call: Call, text: str) -> list[str]:
    """The paths that requests were about to ask for."""
    wire = Listening()
    with suppress(RequestMade, PermanentError):
        await call(wire, text)
    return [urlsplit(url).path for url in wire.urls]


@each
async def test_an_id_is_asked_for_as_it_is_written(right: str, call: Call) -> None:
    (path,) = await asked(call, right)
    assert path.startswith((f"/subscriptions/{GUID}", "/carts"))


@each
async def test_what_is_no_id_is_never_asked_for(right: str, call: Call) -> None:
    for text in [
        *filter(None, HOSTILE.values()),
        right.replace(GUID, f"{GUID}/../x"),
        f"{right}/..",
        f"{right}/%2e%2e",
        f"{right}?x",
    ]:
        assert await asked(call, text) == [], text


@given(ids() | mangled, st.sampled_from(sorted(CALLS)))
def test_whatever_is_asked_for_has_no_segment_that_a_server_reads_otherwise(text: str, name: str) -> None:
    for path in asyncio.run(asked(CALLS[name][1], text)):
        assert path.startswith((f"/subscriptions/{GUID}/", "/carts")) or name == "clusters"
        assert not {"", ".", ".."} & set(path.split("/")[1:])
        assert set(unquote(path)) <= SAFE
