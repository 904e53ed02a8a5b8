"""What Azure refuses is told in its shortest form, and nothing of it at length."""

import pytest

from local.cloud.arm import SUBSCRIPTION
from local.cloud.wire import InjectedFault, Reply
from local.cloud.world import World
from shared.adapters.azure.clusters import Clusters
from shared.domain.errors import MeshwardError
from tests.worlds import sdk
from tests.worlds.settings import settings

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-backup-of-the-fleet-in-westeurope"
READ = "Microsoft.ContainerService/managedClusters/read"
ACTION = "Microsoft.DataProtection/backupVaults/backupInstances/write"
CLIENT = "The client '0f3a8a52-6e1c-4a1d-9a8f-1de8f0a7f0aa' with object id '0f3a8a52-6e1c-4a1d-9a8f-1de8f0a7f0aa' "
SAID = {
    "a right that is missing": f"{CLIENT}does not have authorization to perform action '{ACTION}' over scope '{GROUP}'"
    " or the scope is invalid. If access was recently granted, please refresh your credentials.",
    "a right at another resource": f"{CLIENT}has permission to perform action '{READ}' on scope '{GROUP}/providers/x';"
    f" however, it does not have permission to perform action '{ACTION}' on the linked scope(s) '{GROUP}' (respectively"
    " any of them) or the linked scope(s) are invalid.",
    "a right in a key vault": "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny"
    " assignments or role definitions were changed recently, please observe propagation time.\r\nCaller: appid=a;oid=b;"
    f"iss=https://sts.windows.net/c/\r\nAction: '{ACTION}'\r\nResource: '{GROUP}'\r\nAssignment: (not found)",
}


async def refused(world: World, text: str) -> str:
    """The message over this refusal of the list of clusters."""
    clusters = Clusters(settings(world), **sdk.aio(world, world.entra.add("reader")))
    body = {"error": {"code": "AuthorizationFailed", "message": text}}
    world.wire.inject(InjectedFault(on="managedClusters", kind="answer", reply=Reply(status=403, body=body)))
    with pytest.raises(MeshwardError) as error:
        await clusters.list()
    await sdk.close(world)
    return error.value.message


@pytest.mark.parametrize("text", SAID.values(), ids=SAID)
async def test_a_refusal_names_the_right_its_scope_and_what_was_asked_for(world: World, text: str) -> None:
    message = await refused(world, text)
    assert f"no right to {ACTION} at {GROUP}, asked for /subscriptions/{SUBSCRIPTION}/providers/" in message
    assert "object id" not in message


@pytest.mark.parametrize(
    "text",
    [
        "x" * 10_000,
        f"action '{'x' * 10_000}'",
        f"action '{ACTION}' over scope '/{'x' * 10_000}'",
        "action 'a' '/" * 900,
    ],
)
async def test_no_refusal_is_quoted_at_length(world: World, text: str) -> None:
    message = await refused(world, text)
    ours = len(f"listing the clusters of subscription {SUBSCRIPTION}: (a new role assignment takes minutes to act)")
    ours += len(f", asked for /subscriptions/{SUBSCRIPTION}/providers/Microsoft.ContainerService/managedClusters ")
    assert len(message) <= ours + 200
