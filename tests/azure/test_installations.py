"""The lives of two installations over one fleet of two subscriptions, by the real `az` in the simulated cloud.

One of them comes by `make deploy`, the other by azd's hooks; a system topic of the fleet is somebody else's.
"""

import json
import re
import uuid

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
SUBSCRIPTIONS = "Microsoft.Resources.Subscriptions"
LOCK = "Microsoft.Authorization/locks"
APP_ID = "22222222-aaaa-4aaa-8aaa-222222222222"
PLATFORM = f"/subscriptions/{OTHER}/resourceGroups/rg-platform/providers/Microsoft.EventGrid/systemTopics/platform"


def somebody_elses_topic(world: World) -> None:
    """The system topic of the other subscription is the platform team's; the home subscription has none."""
    for topic in list(world.arm.of_type("Microsoft.EventGrid/systemTopics", under=f"/subscriptions/{SUBSCRIPTION}/")):
        world.arm.remove(topic["id"])
    world.resource_groups.add("rg-platform", subscription=OTHER)
    principal = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{PLATFORM}#principal"))
    topic = {"id": PLATFORM, "name": "platform", "type": "Microsoft.EventGrid/systemTopics", "location": "global"}
    policy = {**topic, "id": f"{PLATFORM}-policy", "name": "platform-policy"}  # of the same source
    of_policy = {"source": f"/subscriptions/{OTHER}", "topicType": "Microsoft.PolicyInsights.PolicyStates"}
    world.arm.store({**policy, "properties": of_policy})
    identity = {"type": "SystemAssigned", "principalId": principal}
    world.arm.store(
        {**topic, "identity": identity, "properties": {"source": f"/subscriptions/{OTHER}", "topicType": SUBSCRIPTIONS}}
    )


def snapshot(world: World) -> dict[str, str]:
    """All resources, by their ids in lower case, but for when and by whom they were written last."""
    return {id: _text(each) for id, each in world.arm.resources.items()}


def _text(resource: Resource) -> str:
    said = {name: value for name, value in resource.get("properties", {}).items() if not name.startswith("updated")}
    return json.dumps({**resource, "properties": said}, sort_keys=True)


def asked_of_providers(world: World) -> str:
    """What a rollout asked of resource providers, by first letters: get their list, or post a registration."""
    calls = (each for each in world.wire.exchanges if re.search(r"/providers(/[\w.]+/register)?\?", each.url))
    return "".join(each.method[0] for each in calls)


def kind(id: str) -> str:
    """The last of the types in an id, in lower case."""
    return id.rsplit("/", 2)[1]


def as_0_1_0_named_it(world: World) -> None:
    """Role assignments had names of their own, subscriptions and alerts on dead letters those of no installation."""
    assignments = list(world.arm.of_type("Microsoft.Authorization/roleAssignments"))
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


async def test_two_installations_over_one_fleet_come_change_go_and_return(deployer: Deployer) -> None:
    world, deployments = deployer.stage.world, deployer.rollout.deployments
    somebody_elses_topic(world)
    deployer.graph.objects["applications"]["1"] = {"id": "1", "appId": APP_ID, "displayName": "meshward"}
    for subscription, each in ((SUBSCRIPTION, "Web"), (SUBSCRIPTION, "DataProtection"), (OTHER, "Insights")):
        world.providers.unregister(subscription, f"Microsoft.{each}")
    before = snapshot(world)

    # The first comes, as its version 0.1.0 was, and is upgraded.
    told = await deployer.deploy(**FIRST)
    assert world.providers.states == {}
    assert asked_of_providers(world).startswith("GGPPPGG")  # what is missing in all subscriptions at once
    assert all("-westeurope" in name for name in deployments.made)
    assert [upload["RemoteBuild"] for upload in deployer.rollout.scm.uploads] == ["false"]
    first = snapshot(world).keys() - before.keys()
    assert len([id for id in first if "-on-" in id]) == 5
    as_0_1_0_named_it(world)
    deployer.program("make", 'test "$1" = deploy && exec infra/deploy.sh')
    blocks = re.findall(r"```sh\n(.*?)```", (APP / "CHANGELOG.md").read_text(), re.DOTALL)
    (commands,) = [block for block in blocks if "make deploy" in block]
    await deployer.run("sh", "-euc", commands, **FIRST)
    assert snapshot(world).keys() - before.keys() == first

    # The second comes beside it; the first is locked and deployed once more.
    alone = snapshot(world)
    await up(deployer, **SECOND)
    both = snapshot(world)
    assert {id: both[id] for id in alone} == alone
    assert len([id for id in both if id.startswith(PLATFORM.lower()) and "-on-" in id]) == 2
    await deployer.deploy(**FIRST, LOCK="yes")
    vault = next(id for id in first if re.search(r"/vaults/kv-meshward[^/]*$", id))
    world.arm.store({"id": f"{vault}/providers/{LOCK}/keep", "name": "keep", "type": LOCK, "properties": {}})
    await deployer.deploy(**FIRST, LOCK="yes", MESHWARD_EVIDENCE_DAYS="400")
    (policy,) = (each for each in world.arm.of_type(POLICY) if each["id"].lower() in first)
    assert policy["properties"] == {"state": "Locked", "immutabilityPeriodSinceCreationInDays": 400}
    told = await deployer.refused("infra/before.sh", **FIRST, MESHWARD_EVIDENCE_DAYS="30")
    assert "is locked for 400 days: it can't be 30" in told
    await up(deployer, **SECOND)
    assert {id for id, body in snapshot(world).items() if both.get(id) != body} == {
        policy["id"].lower(),
        f"{vault}/providers/{LOCK}/keep".lower(),
    }

    # The first goes, but for what others use and what is locked.
    second = {id: both[id] for id in both.keys() - alone.keys()}
    at_rest = snapshot(world)
    told = await deployer.run("infra/remove.sh", **FIRST)
    assert "/locks/keep, which somebody else has set" in told
    assert "Nothing was removed" in told
    assert snapshot(world) == at_rest
    world.arm.remove(f"{vault}/providers/{LOCK}/keep")
    told = await deployer.run("infra/remove.sh", "--yes", **FIRST)
    assert "Nothing of meshward is left" in told
    assert told.count("as others have subscribed to it (1)") == 1
    assert told.count("which others hold") == 2
    assert f"the app registration {APP_ID}, called meshward: MESHWARD_AUDIENCE isn't it" in told
    now = snapshot(world)
    assert {id: now.get(id) for id in second} == second
    locked = {"storageaccounts", "blobservices", "containers", "immutabilitypolicies", "diagnosticsettings"}
    assert {kind(id) for id in first & now.keys()} == locked | {"resourcegroups", "systemtopics", "roledefinitions"}
    assert [each["name"] for each in deployments.deleted_vaults] == [vault.rpartition("/")[2]]

    # It returns, with its keys; the second goes; and the first goes for good, after somebody removed its identities.
    await deployer.deploy(**FIRST, STAND_IN_REBORN="rg-meshward")
    assert deployments.deleted_vaults == []
    assert len(snapshot(world).keys() - before.keys()) == len(both.keys() - before.keys())
    await deployer.run("infra/remove.sh", "--yes", **SECOND)
    assert len(snapshot(world).keys() - before.keys()) == len(first)
    for identity in list(world.arm.of_type("Microsoft.ManagedIdentity/userAssignedIdentities")):
        if identity["id"].lower() in first:
            world.arm.remove(identity["id"])
    await deployer.run("infra/remove.sh", "--yes", "--entra", **FIRST, MESHWARD_AUDIENCE=APP_ID)
    now = snapshot(world)
    assert {kind(id) for id in now.keys() - before.keys()} == locked | {"resourcegroups"}
    assert {id: now.get(id) for id in before} == before
    assert deployer.graph.objects["applications"] == {}
