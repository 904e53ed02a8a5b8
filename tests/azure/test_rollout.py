"""The rollout scripts, run by the real `az` against the simulated cloud."""

import json
import re
from pathlib import Path

import pytest

from local.cloud.arm import SUBSCRIPTION
from local.cloud.entra import TENANT
from local.one_deploy import GONE
from local.stage import AUDIENCE
from shared.domain.selftest import PROVIDERS
from tests.azure.deployer import Deployer

AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
POLICY = "Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies"


async def test_the_app_is_registered_once_and_its_callers_assigned_once(deployer: Deployer) -> None:
    first = await deployer.run("infra/entra.sh")
    assert "MESHWARD_AUDIENCE=" in first
    assert await deployer.run("infra/entra.sh") == first
    (app,) = deployer.graph.objects["applications"].values()
    assert app["identifierUris"] == [f"api://{app['appId']}"]
    assert app["api"]["requestedAccessTokenVersion"] == 2
    (scope,) = app["api"]["oauth2PermissionScopes"]
    azure_cli = {"appId": AZURE_CLI, "delegatedPermissionIds": [scope["id"]]}
    assert app["api"]["preAuthorizedApplications"] == [azure_cli]
    for _ in range(2):
        await deployer.run("infra/entra.sh", "assign", "operator", "11111111-aaaa-4aaa-8aaa-111111111111")
    (assigned,) = deployer.graph.objects["assigned"].values()
    (role,) = [role["id"] for role in app["appRoles"] if role["value"] == "operator"]
    assert assigned["appRoleId"] == role
    (service,) = deployer.graph.objects["serviceprincipals"].values()
    assert service["appRoleAssignmentRequired"] is True
    other = {**app, "id": "other", "appId": "22222222-aaaa-4aaa-8aaa-222222222222"}
    deployer.graph.objects["applications"]["other"] = other
    assert "Several registrations are called meshward" in await deployer.run("infra/entra.sh", expect=1)
    del deployer.graph.objects["applications"]["other"]
    assert "there is no role king" in await deployer.run("infra/entra.sh", "assign", "king", "x", expect=1)


async def rolled_out(deployer: Deployer, package: Path, **environ: str) -> tuple[dict[str, str], str]:
    for topic in deployer.stage.world.arm.of_type("Microsoft.EventGrid/systemTopics"):
        if topic["id"].partition("/providers/")[0].endswith("/rg-events"):  # the stage's own has no identity
            deployer.stage.world.arm.remove(topic["id"])
    """The steps of infra/deploy.sh but for the build of the package, which `make package` tries; what they made."""
    given = {"MESHWARD_AUDIENCE": "meshward", "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION, **environ}
    told = await deployer.run("infra/provision.sh", expect=0, **given)
    made = dict(re.findall(r"^(AZURE_RESOURCE_GROUP|FUNCTION_APP)=(.+)$", told, re.MULTILINE))
    await deployer.run("infra/publish.sh", str(package), expect=0, **made)
    return made, await deployer.run("infra/after-code.sh", expect=0, **made, **environ)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / "meshward.zip").write_bytes(b"a package")
    return tmp_path / "meshward.zip"


async def test_each_step_of_the_rollout_may_be_repeated_also_after_the_lock(deployer: Deployer, package: Path) -> None:
    world, scm = deployer.stage.world, deployer.rollout.scm
    for each in (PROVIDERS[0], "Microsoft.Web"):
        world.providers.unregister(SUBSCRIPTION, each)
    await rolled_out(deployer, package)
    assert world.providers.states == {}
    assert [upload["RemoteBuild"] for upload in scm.uploads] == ["false"]
    resources = dict(world.arm.resources)
    assert len([each for each in resources.values() if each["type"].endswith("/eventSubscriptions")]) == 4
    (policy,) = world.arm.of_type(POLICY)
    assert "state" not in policy["properties"]
    _, told = await rolled_out(deployer, package, LOCK="yes")
    assert "Nothing is in it yet" in told
    await rolled_out(deployer, package, LOCK="yes", MESHWARD_EVIDENCE_DAYS="400")
    held = world.arm.resources[policy["id"].lower()]["properties"]
    assert held == {"state": "Locked", "immutabilityPeriodSinceCreationInDays": 400}
    assert world.arm.resources.keys() == resources.keys()
    told = await deployer.run("infra/provision.sh", MESHWARD_AUDIENCE="meshward", MESHWARD_EVIDENCE_DAYS="30", expect=1)
    assert "is locked for 400 days: it can't be 30" in told


async def test_two_installations_look_after_one_fleet(deployer: Deployer, package: Path) -> None:
    world = deployer.stage.world
    await rolled_out(deployer, package)
    first = {id: json.dumps(resource) for id, resource in world.arm.resources.items()}
    made, _ = await rolled_out(deployer, package, AZURE_ENV_NAME="Other_One")
    assert made["AZURE_RESOURCE_GROUP"] == "rg-other-one"
    changed = [world.arm.resources[id]["type"] for id, was in first.items() if json.dumps(world.arm.find(id)) != was]
    assert changed == []
    clusters = [id for id in world.arm.resources if id.endswith("-on-cluster-event")]
    assert len({id.rpartition("/")[2] for id in clusters}) == 2
    assert len({id.partition("/eventsubscriptions/")[0] for id in clusters}) == 1


async def test_a_name_that_resources_cannot_have_is_refused(deployer: Deployer) -> None:
    for name in ("a", "my--mesh", "mesh-", "1mesh", "thirteenchars", "mésh"):
        told = await deployer.run("infra/provision.sh", MESHWARD_AUDIENCE="meshward", AZURE_ENV_NAME=name, expect=1)
        assert "2 to 12 letters" in told


async def test_a_compiler_that_is_too_old_is_refused(deployer: Deployer) -> None:
    told = await deployer.run("infra/provision.sh", MESHWARD_AUDIENCE="a", STAND_IN_VERSION="0.9.1", expect=1)
    assert "Bicep 0.9.1 is too old" in told


ENDS = [(4, ""), (-1, "was cancelled"), (4, ""), (3, "failed"), (GONE, ""), (5, "for another one"), (6, "in part only")]


async def test_the_package_is_published_when_this_deployment_ends_well_whatever_the_one_before_did(
    deployer: Deployer, package: Path
) -> None:
    scm, group = deployer.rollout.scm, f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Web"
    plan = {"id": f"{group}/serverfarms/plan", "name": "plan", "type": "Microsoft.Web/serverfarms"}
    site = {"id": f"{group}/sites/app", "name": "app", "type": "Microsoft.Web/sites"}
    deployer.stage.world.arm.store({**plan, "sku": {"name": "FC1", "tier": "FlexConsumption"}, "properties": {}})
    deployer.stage.world.arm.store({**site, "properties": {"serverFarmId": plan["id"]}})
    where = {"AZURE_RESOURCE_GROUP": "rg", "FUNCTION_APP": "app"}
    for uploads, (ends, said) in enumerate(ENDS, 1):
        scm.ends = ends
        told = await deployer.run("infra/publish.sh", str(package), expect=1 if said else 0, **where)
        assert said in told
        assert len(scm.uploads) == uploads


async def test_a_deleted_vault_is_recovered(deployer: Deployer) -> None:
    id = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-meshward/providers/Microsoft.KeyVault/vaults/kv-x"
    deployer.rollout.deleted_vaults.append({"name": "kv-x", "properties": {"vaultId": id}})
    await deployer.run("infra/provision.sh", MESHWARD_AUDIENCE="meshward")
    (vault,) = deployer.stage.world.arm.of_type("Microsoft.KeyVault/vaults")
    assert vault["properties"]["createMode"] == "recover"


async def test_the_self_test_says_the_same_on_the_command_line(deployer: Deployer) -> None:
    url, id = deployer.stage.host.url, "33333333-aaaa-4aaa-8aaa-333333333333"
    # infra/graph/entra.bicep gives the registration a URI of another form than infra/entra.sh
    deployer.stage.world.entra.apps = {id: AUDIENCE, f"api://{TENANT}/meshward": AUDIENCE}
    told = await deployer.run("infra/selftest.sh", url, MESHWARD_AUDIENCE=id)
    assert told.endswith("PASSED\n")
    assert "ok    event" in told
    deployer.stage.world.providers.unregister(SUBSCRIPTION, PROVIDERS[0])
    told = await deployer.run("infra/selftest.sh", url, MESHWARD_AUDIENCE=id, expect=1)
    assert f"az provider register --subscription {SUBSCRIPTION}" in told
    assert told.endswith("FAILED\n")
