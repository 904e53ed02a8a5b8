"""The lives of two installations over one fleet of two subscriptions, by the real `az` in the simulated cloud.

One of them comes by `make deploy`, the other by azd's hooks; a system topic of the fleet is somebody else's.
"""

import json
import re
import uuid
from collections.abc import Iterable

from local.cloud.arm import SUBSCRIPTION, Resource
from local.cloud.world import World
from local.stage import APP
from tests.azure.azd import up
from tests.azure.deployer import Deployer
from tests.worlds.deployments import OTHER

FLEET = {"MESHWARD_SUBSCRIPTION_IDS": f"{SUBSCRIPTION},{OTHER}"}
FIRST = {"AZURE_ENV_NAME": "meshward", **FLEET}
SECOND = {"AZURE_ENV_NAME": "Other_One", **FLEET}
POLICY = "Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies"
LOCK = "Microsoft.Authorization/locks"
PLATFORM = f"/subscriptions/{OTHER}/resourceGroups/rg-platform/providers/Microsoft.EventGrid/systemTopics/platform"


def somebody_elses_topic(world: World) -> None:
    """The system topic of the other subscription is the platform team's, and that of the home subscription not there."""
    for topic in list(world.arm.of_type("Microsoft.EventGrid/systemTopics", under=f"/subscriptions/{SUBSCRIPTION}/")):
        world.arm.remove(topic["id"])
    world.resource_groups.add("rg-platform", subscription=OTHER)
    principal = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{PLATFORM}#principal"))
    topic = {"id": PLATFORM, "name": "platform", "type": "Microsoft.EventGrid/systemTopics", "location": "global"}
    identity = {"type": "SystemAssigned", "principalId": principal}
    world.arm.store({**topic, "identity": identity, "properties": {"source": f"/subscriptions/{OTHER}"}})


def snapshot(world: World, *names: str) -> dict[str, str]:
    """All resources, or those with one of these in their id."""
    found = {id: json.dumps(each, sort_keys=True) for id, each in world.arm.resources.items()}
    return {id: body for id, body in found.items() if not names or any(name in id for name in names)}


def as_0_1_0_named_it(world: World) -> None:
    """Role assignments had names of their own, subscriptions and alerts on dead letters those of no installation."""
    assignments = [each for each in world.arm.of_type("Microsoft.Authorization/roleAssignments") if _deployed(each)]
    for each in assignments:
        world.arm.remove(each["id"])
        scope = each["id"].rpartition("/providers/Microsoft.Authorization/")[0]
        world.roles.assign(scope, str(uuid.uuid4()), each["properties"], by="x")
    for each in list(world.arm.resources.values()):
        former = re.sub(r"/(?:(alert)-)?meshward-\w{6}-(on|dead-letters)-", _formerly, each["id"])
        if former != each["id"]:
            world.arm.remove(each["id"])
            world.arm.store({**each, "id": former, "name": former.rpartition("/")[2]})


def _formerly(found: re.Match[str]) -> str:
    return "/alert-dead-letters-" if found[1] else "/meshward-on-"


def _deployed(assignment: Resource) -> bool:
    return assignment["properties"]["principalType"] == "ServicePrincipal"


def of(base: str, ids: Iterable[str]) -> list[str]:
    return [id for id in ids if re.search(rf"[-/]{base}(-|/|$)", id)]


async def test_two_installations_over_one_fleet_come_change_go_and_return(deployer: Deployer) -> None:
    world, vaults = deployer.stage.world, deployer.rollout.deployments.deleted_vaults
    somebody_elses_topic(world)
    for subscription, each in ((SUBSCRIPTION, "Web"), (SUBSCRIPTION, "DataProtection"), (OTHER, "Insights")):
        world.providers.unregister(subscription, f"Microsoft.{each}")
    before = set(snapshot(world))
    told = await deployer.deploy(**FIRST)
    assert "doesn't act yet; subscribing again" in told
    assert world.providers.states == {}
    assert [upload["RemoteBuild"] for upload in deployer.rollout.scm.uploads] == ["false"]
    made = set(snapshot(world)) - before
    assert len([id for id in made if "-on-" in id]) == 5

    as_0_1_0_named_it(world)
    deployer.program("make", 'test "$1" = deploy && exec infra/deploy.sh')
    (commands,) = re.findall(r"```sh\n(.*?)```", (APP / "CHANGELOG.md").read_text(), re.DOTALL)
    await deployer.run("sh", "-euc", commands, **FIRST)
    print(set(snapshot(world)) - before ^ made)
    assert set(snapshot(world)) - before == made
