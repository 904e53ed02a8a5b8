"""The rollout scripts, run by the real `az` against the simulated cloud."""

import re
from pathlib import Path

from local.cloud.arm import SUBSCRIPTION
from shared.domain.selftest import PROVIDERS
from tests.azure.deployer import Deployer


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


async def rolled_out(deployer: Deployer, package: Path, **environ: str) -> dict[str, str]:
    """The steps of infra/deploy.sh but for the build of the package, which `make package` tries; what they made."""
    told = await deployer.run("infra/provision.sh", MESHWARD_AUDIENCE="meshward", AZURE_SUBSCRIPTION_ID=SUBSCRIPTION)
    made = dict(re.findall(r"^(AZURE_RESOURCE_GROUP|FUNCTION_APP)=(.+)$", told, re.MULTILINE))
    await deployer.run("infra/publish.sh", str(package), expect=0, **made)
    await deployer.run("infra/after-code.sh", expect=0, **made, **environ)
    return made


async def test_each_step_of_the_rollout_may_be_repeated(deployer: Deployer, tmp_path: Path) -> None:
    world, rollout = deployer.stage.world, deployer.rollout
    (tmp_path / "meshward.zip").write_bytes(b"a package")
    for each in (PROVIDERS[0], "Microsoft.Web"):
        world.providers.unregister(SUBSCRIPTION, each)
    await rolled_out(deployer, tmp_path / "meshward.zip")
    assert world.providers.states == {}
    assert [upload["RemoteBuild"] for upload in rollout.uploads] == ["false"]
    resources = dict(world.arm.resources)
    (app,) = world.arm.of_type("Microsoft.Web/sites")
    assert app["properties"]["functionAppConfig"]["siteUpdateStrategy"] == {"type": "Recreate"}
    assert len([each for each in resources.values() if each["type"].endswith("/eventSubscriptions")]) == 4
    (policy,) = world.arm.of_type("Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies")
    assert "state" not in policy["properties"]
    made = await rolled_out(deployer, tmp_path / "meshward.zip", LOCK="yes")
    await deployer.run("infra/after-code.sh", expect=0, **made, LOCK="yes")
    assert world.arm.resources[policy["id"].lower()]["properties"]["state"] == "Locked"
    assert world.arm.resources.keys() == resources.keys()


async def test_the_self_test_says_the_same_on_the_command_line(deployer: Deployer) -> None:
    url = deployer.stage.host.url
    told = await deployer.run("infra/selftest.sh", url, MESHWARD_AUDIENCE="meshward")
    assert told.endswith("PASSED\n")
    assert "ok    event" in told
    deployer.stage.world.providers.unregister(SUBSCRIPTION, PROVIDERS[0])
    told = await deployer.run("infra/selftest.sh", url, MESHWARD_AUDIENCE="meshward", expect=1)
    assert f"az provider register --subscription {SUBSCRIPTION}" in told
    assert told.endswith("FAILED\n")
