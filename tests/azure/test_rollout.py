"""The rollout scripts, run by the real `az` against the simulated cloud."""

import asyncio

from local.cloud.arm import SUBSCRIPTION
from shared.domain.selftest import PROVIDERS
from tests.azure.conftest import Deployer


async def test_the_app_is_registered_once_and_its_callers_assigned_once(deployer: Deployer) -> None:
    first = await deployer.run("infra/entra.sh")
    assert "MESHWARD_AUDIENCE=" in first
    assert await deployer.run("infra/entra.sh") == first
    (app,) = deployer.graph.objects["applications"].values()
    assert app["identifierUris"] == [f"api://{app['appId']}"]
    assert app["api"] == {"requestedAccessTokenVersion": 2}
    for _ in range(2):
        await deployer.run("infra/entra.sh", "assign", "operator", "11111111-aaaa-4aaa-8aaa-111111111111")
    (assigned,) = deployer.graph.objects["assigned"].values()
    (role,) = [role["id"] for role in app["appRoles"] if role["value"] == "operator"]
    assert assigned["appRoleId"] == role
    (service,) = deployer.graph.objects["serviceprincipals"].values()
    assert service["appRoleAssignmentRequired"] is True
    assert "there is no role king" in await deployer.run("infra/entra.sh", "assign", "king", "x", expect=1)


async def test_the_whole_rollout_twice_the_second_time_changing_nothing(deployer: Deployer) -> None:
    world, rollout = deployer.stage.world, deployer.rollout
    for each in (*PROVIDERS, "Microsoft.Web"):
        world.providers.unregister(SUBSCRIPTION, each)
    told = await deployer.run("infra/deploy.sh", MESHWARD_AUDIENCE="meshward")
    assert world.providers.states == {}
    assert [upload["RemoteBuild"] for upload in rollout.uploads] == ["false"]
    assert "event functions are listed" in told, "the platform was waited for"
    resources = dict(world.arm.resources)
    (app,) = world.arm.of_type("Microsoft.Web/sites")
    assert app["properties"]["functionAppConfig"]["siteUpdateStrategy"] == {"type": "Recreate"}
    subscribed = [
        each["name"].rpartition("/")[2] for each in resources.values() if "eventSubscriptions" in each["type"]
    ]
    assert len(subscribed) == 4
    (policy,) = world.arm.of_type("Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies")
    assert "state" not in policy["properties"]
    await deployer.run("infra/deploy.sh", MESHWARD_AUDIENCE="meshward", LOCK="yes")
    assert world.arm.resources[policy["id"].lower()]["properties"]["state"] == "Locked"
    assert world.arm.resources.keys() == resources.keys()


async def test_the_self_test_says_the_same_on_the_command_line(deployer: Deployer) -> None:
    await asyncio.sleep(1)
    url = deployer.stage.host.url
    told = await deployer.run("infra/selftest.sh", url, MESHWARD_AUDIENCE="meshward")
    assert told.endswith("PASSED\n")
    assert "ok    event" in told
    deployer.stage.world.providers.unregister(SUBSCRIPTION, PROVIDERS[0])
    told = await deployer.run("infra/selftest.sh", url, MESHWARD_AUDIENCE="meshward", expect=1)
    assert f"az provider register --subscription {SUBSCRIPTION}" in told
    assert told.endswith("FAILED\n")
