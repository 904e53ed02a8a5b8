"""The rollout scripts, run by the real `az` against the simulated cloud."""

import json

from local.cloud.arm import SUBSCRIPTION, error
from local.cloud.entra import TENANT
from local.cloud.wire import InjectedFault
from local.cloud.world import World
from local.one_deploy import GONE, WRITERS
from local.stage import AUDIENCE
from shared.domain.selftest import PROVIDERS
from tests.azure.deployer import Deployer
from tests.worlds.deployments import OTHER

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers"
ACCOUNT, IDENTITY = "Microsoft.Storage/storageAccounts", "Microsoft.ManagedIdentity/userAssignedIdentities"
AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"


async def test_the_app_is_registered_once_and_its_callers_assigned_once(deployer: Deployer) -> None:
    deployer.environ |= {"MESHWARD_AUDIENCE": "", "MESHWARD_APP_NAME": "Ops' mesh"}
    first = await deployer.run("infra/entra.sh")
    assert "MESHWARD_AUDIENCE=" in first
    (app,) = deployer.graph.objects["applications"].values()
    assert app["appId"] in await deployer.refused("infra/entra.sh")  # anybody may have called theirs so
    deployer.environ |= {"MESHWARD_AUDIENCE": app["appId"], "MESHWARD_APP_NAME": "another"}
    assert await deployer.run("infra/entra.sh") == first  # by its id, whatever it is called
    assert len(deployer.graph.objects["applications"]) == 1
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
    assert await deployer.run("infra/entra.sh") == first
    assert deployer.graph.objects["applications"]["other"] == other
    assert "there is no role king" in await deployer.refused("infra/entra.sh", "assign", "king", "x")


async def test_a_name_that_resources_cannot_have_is_refused(deployer: Deployer) -> None:
    for name in ("a", "my--mesh", "mesh-", "1mesh", "thirteenchars", "mésh"):
        told = await deployer.refused("infra/provision.sh", AZURE_ENV_NAME=name)
        assert "2 to 12 letters" in told


async def test_a_package_that_is_missing_is_missed_before_anything_is_made(deployer: Deployer) -> None:
    told = await deployer.refused("infra/deploy.sh", MESHWARD_PACKAGE="../meshward.zip")
    assert told == "There is no package ../meshward.zip\n"


async def test_a_compiler_that_is_too_old_is_refused(deployer: Deployer) -> None:
    told = await deployer.refused("infra/provision.sh", STAND_IN_VERSION="0.9.1")
    assert "Bicep 0.9.1 is too old" in told


def site(world: World) -> dict[str, str]:
    """An app whose code is kept in a container that its identity has no role on; the environment that names it."""
    plan = {"id": f"{GROUP}/Microsoft.Web/serverfarms/plan", "name": "plan", "type": "Microsoft.Web/serverfarms"}
    account = {"id": f"{GROUP}/Microsoft.Storage/storageAccounts/st", "name": "st", "type": ACCOUNT, "location": "x"}
    identity = {"id": f"{GROUP}/{IDENTITY}/host", "name": "host", "type": IDENTITY, "location": "x"}
    app = {"id": f"{GROUP}/Microsoft.Web/sites/app", "name": "app", "type": "Microsoft.Web/sites"}
    storage = {
        "value": "https://st.blob.core.windows.net/code",
        "authentication": {"userAssignedIdentityResourceId": identity["id"]},
    }
    world.arm.store({**plan, "sku": {"name": "FC1", "tier": "FlexConsumption"}, "properties": {}})
    world.arm.store({**account, "properties": {}})
    world.arm.store({**identity, "properties": {"principalId": "the-host"}})
    config = {"deployment": {"storage": storage}}
    world.arm.store({**app, "properties": {"serverFarmId": plan["id"], "functionAppConfig": config}})
    return {"AZURE_RESOURCE_GROUP": "rg", "FUNCTION_APP": "app"}


ENDS = [(4, ""), (-1, "was cancelled"), (4, ""), (3, "failed"), (GONE, ""), (5, "for another one"), (6, "in part only")]


async def test_the_package_is_published_when_this_deployment_ends_well_whatever_the_one_before_did(
    deployer: Deployer,
) -> None:
    scm, where = deployer.rollout.scm, site(deployer.stage.world)
    granted = {"principalId": "the-host", "principalType": "ServicePrincipal", "roleDefinitionId": WRITERS[1]}
    deployer.stage.world.roles.lag = 300.0
    deployer.stage.world.roles.assign(f"{GROUP}/{ACCOUNT}/st", "1", granted, by="x")
    told = await deployer.run("infra/publish.sh", deployer.environ["MESHWARD_PACKAGE"], **where)
    assert "The upload was refused" in told
    assert len(scm.uploads) == 1
    scm.uploads.clear()
    for uploads, (ends, said) in enumerate(ENDS, 1):
        scm.ends = ends
        publish = deployer.refused if said else deployer.run
        assert said in await publish("infra/publish.sh", deployer.environ["MESHWARD_PACKAGE"], **where)
        assert len(scm.uploads) == uploads


async def test_a_vault_that_was_deleted_in_another_region_or_is_called_otherwise_is_not_recovered(
    deployer: Deployer,
) -> None:
    id = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-meshward/providers/Microsoft.KeyVault/vaults/kv-x"
    deleted = {"name": "kv-x", "properties": {"vaultId": id, "location": "northeurope"}}
    another = {"vaultId": id.replace("kv-x", "kv-other"), "location": "westeurope"}
    deployer.rollout.deployments.deleted_vaults += [deleted, {"name": "kv-other", "properties": another}]
    for topic in list(deployer.stage.world.arm.of_type("Microsoft.EventGrid/systemTopics")):
        deployer.stage.world.arm.remove(topic["id"])  # the stage's own have no identity
    await deployer.run("infra/provision.sh", AZURE_LOCATION="West Europe", MESHWARD_DEPLOY_ROLES="no")
    (vault,) = deployer.stage.world.arm.of_type("Microsoft.KeyVault/vaults")
    assert vault["properties"]["createMode"] == "default"
    assert list(deployer.rollout.deployments.made) == ["meshward-meshward-westeurope"]


async def test_a_removal_that_could_not_look_everywhere_does_not_say_that_nothing_is_left(deployer: Deployer) -> None:
    refusal = error(403, "AuthorizationFailed", "The client does not have authorization to perform this action.")
    deployer.stage.world.wire.inject(InjectedFault(on="GET .*/locks", kind="answer", reply=refusal))
    told = await deployer.refused("infra/remove.sh", "--yes")
    assert "Not everything could be looked at" in told
    assert "There is nothing" not in told
    assert "There is nothing of meshward" in await deployer.run("infra/remove.sh", "--yes")


async def test_an_installation_whose_names_are_its_own_is_found_by_them(deployer: Deployer) -> None:
    groups = deployer.stage.world.resource_groups
    groups.add("mesh-home")
    groups.add("mesh-elsewhere", subscription=OTHER)
    own = {
        "names": {"resourceGroup": "mesh-home", "eventsGroup": "mesh-elsewhere"},
        "fleet": [{"subscriptionId": OTHER}],
    }
    told = await deployer.run("infra/remove.sh", MESHWARD_PARAMETERS=json.dumps(own), MESHWARD_BASE="meshward-abc123")
    assert f"group        /subscriptions/{SUBSCRIPTION}/resourceGroups/mesh-home\n" in told
    assert f"group        /subscriptions/{OTHER}/resourceGroups/mesh-elsewhere\n" in told
    assert "Nothing was removed" in told


async def test_the_self_test_says_the_same_on_the_command_line(deployer: Deployer) -> None:
    url, id = deployer.stage.host.url, "33333333-aaaa-4aaa-8aaa-333333333333"
    # infra/graph/entra.bicep gives the registration a URI of another form than infra/entra.sh
    deployer.stage.world.entra.apps = {id: AUDIENCE, f"api://{TENANT}/meshward": AUDIENCE}
    told = await deployer.run("infra/selftest.sh", url, MESHWARD_AUDIENCE=id)
    assert told.endswith("PASSED\n")
    assert "ok    event" in told
    deployer.stage.world.providers.unregister(SUBSCRIPTION, PROVIDERS[0])
    told = await deployer.refused("infra/selftest.sh", url, MESHWARD_AUDIENCE=id)
    assert f"az provider register --subscription {SUBSCRIPTION}" in told
    assert told.endswith("FAILED\n")


async def test_a_policy_of_evidence_is_deleted_unless_it_is_locked(deployer: Deployer) -> None:
    arm, group = deployer.stage.world.arm, deployer.stage.world.resource_groups.add("rg-meshward")["id"]
    account = {"id": f"{group}/providers/Microsoft.Storage/storageAccounts/stmeshwardabc123s"}
    account["name"] = "stmeshwardabc123s"
    arm.store({**account, "type": "Microsoft.Storage/storageAccounts", "location": "westeurope", "properties": {}})
    here = {"AZURE_RESOURCE_GROUP": "RG-Meshward"}
    assert await deployer.run("infra/evidence.sh", "state", **here) == "Unlocked\n"  # the rollout was interrupted
    container = f"{account['id']}/blobServices/default/containers/evidence"
    arm.store({"id": container, "name": "evidence", "type": f"{ACCOUNT}/blobServices/containers", "properties": {}})
    assert await deployer.run("infra/evidence.sh", "state", **here) == "Unlocked\n"
    policy = f"{container}/immutabilityPolicies/default"
    kind = "Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies"
    for state, kept in (("Locked", True), ("Unlocked", False)):
        told = {"state": state, "immutabilityPeriodSinceCreationInDays": 9}
        arm.store({"id": policy, "name": "default", "type": kind, "properties": told})
        assert await deployer.run("infra/evidence.sh", "state", **here) == f"{state}\n"
        await deployer.run("infra/evidence.sh", "drop", **here)
        assert (arm.find(policy) is not None) is kept
