"""Resources by those who may make them, roles by those who may assign them, by the real `az` in the simulated cloud."""

import asyncio
import json
import re
from pathlib import Path

from local.cloud.arm import SUBSCRIPTION
from local.cloud.world import World
from local.one_deploy import WRITERS
from tests.azure.deployer import Deployer

ASSIGNMENT, LOCK = "Microsoft.Authorization/roleAssignments", "Microsoft.Authorization/locks"
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
TOPIC = "Microsoft.EventGrid/systemTopics"
OWN = {
    "names": {"resourceGroup": "rg-ours", "storeAccount": "stourevidence", "vault": "kv-ours"},
    "tags": {"cost-center": "4711"},
    "fleet": [{"subscriptionId": SUBSCRIPTION}],
}
GIVEN = {"MESHWARD_AUDIENCE": "meshward", "MESHWARD_PARAMETERS": json.dumps(OWN)}


async def refused_once(world: World, subscribing: "asyncio.Task[str]") -> None:
    """Until Event Grid has said that a topic's identity may not put dead letters down."""
    while not subscribing.done():
        if any("does not have permission" in str(each.body) for each in world.wire.exchanges):
            return
        await asyncio.sleep(0.1)


async def test_two_teams_deploy_one_installation_with_names_of_their_own(deployer: Deployer, tmp_path: Path) -> None:
    world, package = deployer.stage.world, tmp_path / "meshward.zip"
    package.write_bytes(b"a package")
    for topic in list(world.arm.of_type(TOPIC)):  # the stage's own have no identity
        world.arm.remove(topic["id"])
    world.roles.lag = 0.0
    before = {each["id"] for each in world.arm.of_type(ASSIGNMENT)}

    told = await deployer.run("infra/provision.sh", MESHWARD_DEPLOY_ROLES="no", **GIVEN)
    made = dict(re.findall(r"^(AZURE_RESOURCE_GROUP|FUNCTION_APP)=(.+)$", told, re.MULTILINE))
    assert made["AZURE_RESOURCE_GROUP"] == "rg-ours"
    assert {each["id"] for each in world.arm.of_type(ASSIGNMENT)} == before
    (host,) = (each for each in world.arm.of_type(IDENTITY) if each["id"].endswith("-host"))
    world.roles.grant(host["properties"]["principalId"], WRITERS[1], host["id"].partition("/providers/")[0])
    await deployer.run("infra/publish.sh", str(package), **made)
    subscribing = asyncio.create_task(deployer.run("infra/after-code.sh", **made, **GIVEN))
    await refused_once(world, subscribing)
    await deployer.run("infra/roles.sh", **GIVEN)
    assert "doesn't act yet; subscribing again" in await subscribing

    resources = dict(world.arm.resources)
    assert len([each for each in resources.values() if each["type"].endswith("/eventSubscriptions")]) == 4
    locked = {each["id"].split("/providers/")[1].rpartition("/")[2] for each in world.arm.of_type(LOCK)}
    assert locked == {"kv-ours", "stourevidence"}
    group = {**made, "AZURE_RESOURCE_GROUP": "rg-ours"}
    await deployer.run("infra/evidence.sh", "lock", **group, **GIVEN)
    assert await deployer.run("infra/evidence.sh", "state", **group, **GIVEN) == "Locked\n"

    # By one team, once more: nothing is made beside what there is.
    await deployer.run("infra/provision.sh", **GIVEN)
    await deployer.run("infra/after-code.sh", **made, **GIVEN)
    assert world.arm.resources.keys() == resources.keys()
