"""What infra teams ask of a deployment: what they have is used, names and tags are theirs, what is theirs stays."""

import json
import re
from typing import Any

import pytest

from local.stage import INFRA
from tests.infra.evaluated import BicepFile
from tests.worlds.deployed_resources import ACCOUNT, ALERT, APP, ASSIGNMENT, ROLE, body, of_type
from tests.worlds.deployments import HOME, OTHER, PRIVATE, VERIFIED, deployed, granted, subscribed

SHARED = f"/subscriptions/{OTHER}/resourceGroups/rg-shared/providers"
WORKSPACE = f"{SHARED}/Microsoft.OperationalInsights/workspaces/log-shared"
ACTIONS = f"{SHARED}/Microsoft.Insights/actionGroups/ag-shared"
VAULT = f"{SHARED}/Microsoft.KeyVault/vaults/kv-shared"
NETWORK = f"{SHARED}/Microsoft.Network/virtualNetworks/vnet-hub"
ZONES = {
    name: f"{SHARED}/Microsoft.Network/privateDnsZones/{name}"
    for name in ("blob", "queue", "table", "vault", "topic", "scheduler")
}
GROUP = "Microsoft.Resources/resourceGroups"
SCHEDULED = {"durableBackend": "DurableTaskScheduler"}
TABLE = json.loads((INFRA / "roles.json").read_text())
FLEET = [{"subscriptionId": HOME}, {"subscriptionId": OTHER}]


def private(**more: Any) -> dict[str, Any]:
    return {"network": {**PRIVATE["network"], **more}}


def all_of(main: BicepFile, **params: Any) -> list[BicepFile]:
    """All that the three templates make."""
    verified = [{"kind": kind, "id": id} for kind, id in VERIFIED.items()]
    return [main, granted(main, verified=verified, **params), subscribed(main, **params)]


def settings(file: BicepFile) -> dict[str, str]:
    (app,) = of_type(file, APP)
    return {each["name"]: each["value"] for each in body(app)["siteConfig"]["appSettings"]}


def test_a_workspace_that_is_there_gets_everything_and_none_is_made() -> None:
    file = deployed(reuse={"workspaceId": WORKSPACE}, **SCHEDULED)
    assert of_type(file, "Microsoft.OperationalInsights/workspaces") == []
    (insights,) = of_type(file, "Microsoft.Insights/components")
    assert body(insights)["WorkspaceResourceId"] == WORKSPACE
    logs = of_type(file, "Microsoft.Insights/diagnosticSettings")
    assert {body(each)["workspaceId"] for each in logs} == {WORKSPACE}


def test_an_action_group_that_is_there_is_told_and_none_is_made_beside_it() -> None:
    main = deployed(reuse={"actionGroupId": ACTIONS}, fleet=FLEET)
    assert of_type(main, "Microsoft.Insights/actionGroups") == []
    rules = of_type(main, "Microsoft.Insights/scheduledQueryRules")
    assert {group for rule in rules for group in body(rule)["actions"]["actionGroups"]} == {ACTIONS}
    alerts = of_type(subscribed(main, fleet=FLEET), ALERT)
    told = {alert.id.split("/")[2]: body(alert)["actions"][0]["actionGroupId"] for alert in alerts}
    assert told[OTHER] == ACTIONS
    assert told[HOME].startswith(f"/subscriptions/{HOME}/")  # an alert on a metric takes none of another subscription


def test_a_key_vault_that_is_there_keeps_the_roots_and_stays_as_its_owner_has_it() -> None:
    main = deployed(reuse={"keyVaultId": VAULT}, **PRIVATE)
    assert of_type(main, "Microsoft.KeyVault/vaults") == []
    assert settings(main)["MESHWARD_KEY_VAULT_URL"] == "https://kv-shared.vault.azure.net/"
    parts = {
        body(e)["privateLinkServiceConnections"][0]["name"] for e in of_type(main, "Microsoft.Network/privateEndpoints")
    }
    assert "vault" not in parts
    (topic,) = [t for t in of_type(main, "Microsoft.EventGrid/systemTopics") if body(t)["source"] == VAULT]
    assert topic.id.startswith(f"{SHARED}/Microsoft.EventGrid/systemTopics/")
    roles = granted(main)
    assert [one for one in of_type(roles, ASSIGNMENT) if one.id.startswith(f"{VAULT}/")]
    assert not [one for one in of_type(roles, "Microsoft.Authorization/locks") if VAULT in one.id]
    events = subscribed(main).resources
    assert [one.id for one in events if one.id.startswith(f"{topic.id}/eventSubscriptions/")]


def test_a_system_topic_that_the_key_vault_has_is_used() -> None:
    topic = f"{SHARED}/Microsoft.EventGrid/systemTopics/theirs"
    main = deployed(reuse={"keyVaultId": VAULT, "keyVaultTopicId": topic})
    assert not [t for t in of_type(main, "Microsoft.EventGrid/systemTopics") if body(t)["source"] == VAULT]
    assert [one for one in subscribed(main).resources if one.id.startswith(f"{topic}/eventSubscriptions/")]


def test_subnets_that_are_there_are_used_and_no_network_is_made() -> None:
    subnets = {name: f"{NETWORK}/subnets/{name}" for name in ("functions", "endpoints")}
    file = deployed(**private(subnets=subnets), **SCHEDULED)
    made = {one.type.partition("/")[2] for one in file.resources if one.type.startswith("Microsoft.Network/")}
    assert not made & {"virtualNetworks", "virtualNetworks/subnets", "networkSecurityGroups", "natGateways"}
    (app,) = of_type(file, APP)
    assert body(app)["virtualNetworkSubnetId"] == subnets["functions"]
    endpoints = of_type(file, "Microsoft.Network/privateEndpoints")
    assert {body(each)["subnet"]["id"] for each in endpoints} == {subnets["endpoints"]}
    links = of_type(file, "Microsoft.Network/privateDnsZones/virtualNetworkLinks")
    assert {body(link)["virtualNetwork"]["id"] for link in links} == {NETWORK}


def zones(file: BicepFile) -> set[str]:
    groups = of_type(file, "Microsoft.Network/privateEndpoints/privateDnsZoneGroups")
    return {body(group)["privateDnsZoneConfigs"][0]["properties"]["privateDnsZoneId"] for group in groups}


def test_zones_are_made_or_those_that_are_there_or_a_policys() -> None:
    made, theirs = deployed(**PRIVATE, **SCHEDULED), deployed(**private(zones=ZONES), **SCHEDULED)
    policys = deployed(**private(zonesByPolicy=True), **SCHEDULED)
    own = of_type(made, "Microsoft.Network/privateDnsZones")
    assert zones(made) == {zone.id for zone in own}
    assert len(own) == len(ZONES)
    assert zones(theirs) == set(ZONES.values())
    assert zones(policys) == set()
    for file in (theirs, policys):
        assert [one for one in file.resources if "/privateDnsZones/" in one.id] == []
        assert len(of_type(file, "Microsoft.Network/privateEndpoints")) == 7


def test_names_are_theirs_wherever_they_are_read() -> None:
    usual = deployed(**private(natGateway=True), **SCHEDULED)
    defaults = usual.read("outputs")["MESHWARD_MADE"]["names"]
    names = {name: f"x{index}ours" for index, name in enumerate(defaults) if name != "base"}
    main = deployed(names=names, **private(natGateway=True), **SCHEDULED)
    made = [one.id for file in all_of(main) for one in file.resources]
    assert [id for id in made if defaults["base"] in id and "/eventSubscriptions/" not in id] == []
    said = json.dumps([one.body for file in all_of(main) for one in file.resources])
    parts = set(re.split(r'[/"]', said))
    assert parts & {usual for name, usual in defaults.items() if name != "base"} == set()
    unused = [name for name, ours in names.items() if not any(ours in id for id in made)]
    assert unused == []
    assert len(made) == len([one for file in all_of(usual) for one in file.resources])


UNTAGGED = {  # what has no tags in Azure
    "Microsoft.Authorization/roleDefinitions",
    ASSIGNMENT,
    "Microsoft.Authorization/locks",
    "Microsoft.Insights/diagnosticSettings",
    "Microsoft.EventGrid/systemTopics/eventSubscriptions",
    "Microsoft.EventGrid/topics/eventSubscriptions",
    "Microsoft.Network/virtualNetworks/subnets",
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups",
    "Microsoft.DurableTask/schedulers/taskHubs",
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies",
}


def test_tags_are_on_everything_and_the_app_is_told_of_them() -> None:
    tags = {"cost-center": "4711"}
    main = deployed(tags=tags, fleet=FLEET, **private(natGateway=True), **SCHEDULED)
    for file in all_of(main, fleet=FLEET):
        for one in file.resources:
            if one.type not in UNTAGGED and not one.type.startswith(f"{ACCOUNT}/"):
                assert one.body is not None
                assert one.body["tags"].items() >= tags.items(), one.id
    assert json.loads(settings(main)["MESHWARD_TAGS"]) == tags


def test_key_vault_and_store_are_locked_unless_somebody_says_no() -> None:
    main = deployed()
    locks = of_type(granted(main), "Microsoft.Authorization/locks")
    names = main.read("outputs")["MESHWARD_MADE"]["names"]
    assert {lock.id.partition("/providers/Microsoft.Authorization")[0].rpartition("/")[2] for lock in locks} == {
        names["vault"],
        names["storeAccount"],
    }
    assert {body(lock)["level"] for lock in locks} == {"CanNotDelete"}
    assert of_type(granted(main, locks=False), "Microsoft.Authorization/locks") == []


def test_app_topics_and_scheduler_tell_the_workspace_what_happens_in_them() -> None:
    file = deployed(**SCHEDULED)
    (workspace,) = of_type(file, "Microsoft.OperationalInsights/workspaces")
    logs = {
        log.id.partition("/providers/Microsoft.Insights/")[0]: body(log)
        for log in of_type(file, "Microsoft.Insights/diagnosticSettings")
    }
    kinds = (APP, "Microsoft.EventGrid/topics", "Microsoft.EventGrid/systemTopics", "Microsoft.DurableTask/schedulers")
    telling = [one.id for kind in kinds for one in of_type(file, kind)]
    assert len(telling) == 5
    for id in telling:
        assert logs[id]["workspaceId"] == workspace.id
        assert all(log["enabled"] for log in logs[id]["logs"])


def test_the_private_form_closes_the_deployment_site_to_all_but_callers_too() -> None:
    (public,), (closed,) = of_type(deployed(), APP), of_type(deployed(**PRIVATE), APP)
    assert body(public)["siteConfig"]["scmIpSecurityRestrictionsDefaultAction"] == "Allow"
    site = body(closed)["siteConfig"]
    assert site["scmIpSecurityRestrictionsDefaultAction"] == "Deny"
    assert site["scmIpSecurityRestrictionsUseMain"] is False
    assert [rule["ipAddress"] for rule in site["scmIpSecurityRestrictions"]] == ["203.0.113.0/24"]


def test_the_private_form_closes_the_scheduler_and_the_store() -> None:
    file = deployed(**PRIVATE, **SCHEDULED)
    (scheduler,) = of_type(file, "Microsoft.DurableTask/schedulers")
    assert body(scheduler)["publicNetworkAccess"] == "Disabled"
    assert body(scheduler)["ipAllowlist"] == []
    reached = {
        body(e)["privateLinkServiceConnections"][0]["properties"]["privateLinkServiceId"]
        for e in of_type(file, "Microsoft.Network/privateEndpoints")
    }
    assert scheduler.id in reached
    access = {one.name[-1]: body(one)["publicNetworkAccess"] for one in of_type(file, ACCOUNT)}
    assert access == {"h": "Enabled", "s": "Disabled"}  # Event Grid brings its dead letters to the host's


def test_a_nat_gateway_gives_the_functions_one_address_which_is_an_output() -> None:
    plain, file = deployed(**PRIVATE), deployed(**private(natGateway=True))
    assert plain.read("outputs")["OUTBOUND_ADDRESS"] == ""
    assert of_type(plain, "Microsoft.Network/natGateways") == []
    (gateway,) = of_type(file, "Microsoft.Network/natGateways")
    (address,) = of_type(file, "Microsoft.Network/publicIPAddresses")
    assert body(gateway)["publicIpAddresses"] == [{"id": address.id}]
    subnets = {
        one.name.rpartition("/")[2]: body(one) for one in of_type(file, "Microsoft.Network/virtualNetworks/subnets")
    }
    assert subnets["functions"]["natGateway"] == {"id": gateway.id}
    assert file.read("outputs")["OUTBOUND_ADDRESS"] == address.read("properties").read("ipAddress")


def test_a_redeployment_leaves_subnets_that_others_have_added() -> None:
    file = deployed(**PRIVATE)
    (network,) = of_type(file, "Microsoft.Network/virtualNetworks")
    assert "subnets" not in body(network)
    assert {one.name for one in of_type(file, "Microsoft.Network/virtualNetworks/subnets")} == {
        f"{network.name}/functions",
        f"{network.name}/endpoints",
    }


def test_dead_letters_are_deleted_after_a_quarter_and_nothing_else_is() -> None:
    (policy,) = of_type(deployed(), f"{ACCOUNT}/managementPolicies")
    (rule,) = body(policy)["policy"]["rules"]
    assert rule["definition"]["filters"]["prefixMatch"] == ["deadletters/"]
    assert rule["definition"]["actions"] == {"baseBlob": {"delete": {"daysAfterModificationGreaterThan": 90}}}


@pytest.mark.parametrize("case", ["as it is", "IN CAPITALS"])
def test_our_own_system_topic_is_still_ours_when_it_is_found(case: str) -> None:
    first = deployed(fleet=FLEET)
    found = {
        t.id.split("/")[2]: t.id
        for t in of_type(first, "Microsoft.EventGrid/systemTopics")
        if t.id.endswith("-clusters")
    }
    given = {
        id: topic if case == "as it is" else topic.upper().replace("/SUBSCRIPTIONS/", "/subscriptions/")
        for id, topic in found.items()
    }
    again = deployed(fleet=[{"subscriptionId": id, "systemTopicId": topic} for id, topic in given.items()])
    assert {one.id for one in again.resources} == {one.id for one in first.resources}


def test_evidence_and_ledger_are_written_by_roles_of_their_own() -> None:
    main = deployed()
    (store,) = [one for one in of_type(main, ACCOUNT) if one.name.endswith("s")]
    scopes = [one.id.partition("/providers/Microsoft.Authorization")[0] for one in of_type(granted(main), ASSIGNMENT)]
    held = {scope.removeprefix(store.id) for scope in scopes if scope.startswith(store.id)}
    assert held == {f"/blobServices/default/containers/{name}" for name in ("ledger", "evidence", "policy")}


def test_the_app_may_create_and_read_evidence_and_do_nothing_else_there() -> None:
    main = deployed()
    roles = granted(main)
    on_evidence = [one for one in of_type(roles, ASSIGNMENT) if "/containers/evidence/" in one.id]
    definitions = {one.id: body(one)["permissions"] for one in of_type(roles, ROLE)}
    (permissions,) = definitions[body(on_evidence[0])["roleDefinitionId"]]
    blobs = f"{ACCOUNT}/blobServices/containers/blobs"
    assert len(on_evidence) == 1
    assert permissions["actions"] == permissions["notDataActions"] == []
    assert set(permissions["dataActions"]) == {f"{blobs}/read", f"{blobs}/add/action"}


def test_the_policy_document_is_read_where_no_identity_of_the_app_may_write_and_named_groups_may() -> None:
    main, writers = deployed(), "77777777-7777-4777-8777-777777777777"
    container = settings(main)["MESHWARD_POLICY_URL"].rpartition("/")[2]
    roles = granted(main, policyWriters=[writers])
    held = {
        body(one)["principalId"]: body(one)["roleDefinitionId"].rpartition("/")[2]
        for one in of_type(roles, ASSIGNMENT)
        if f"/containers/{container}/" in one.id
    }
    reader, contributor = (TABLE["builtIn"][f"Storage Blob Data {which}"] for which in ("Reader", "Contributor"))
    assert held == {main.read("outputs")["MESHWARD_MADE"]["principals"]["verifier"]: reader, writers: contributor}
    wide = [one.id for one in of_type(roles, ASSIGNMENT) if re.search(r"storageAccounts/\w+s/providers/", one.id)]
    assert wide == [], "a role on the whole account of the store writes there, too"


def test_what_makes_and_deletes_vaults_accounts_and_identities_is_granted_in_the_groups_of_backups_alone() -> None:
    kinds = ("DataProtection", "RecoveryServices/Vaults", "ManagedIdentity", "Storage", "Network/privateEndpoints")
    roles = granted(deployed(fleet=FLEET), fleet=FLEET)
    definitions = {one.id: body(one)["permissions"][0]["actions"] for one in of_type(roles, ROLE)}
    changing = {
        id
        for id, actions in definitions.items()
        if any(
            each.startswith(f"Microsoft.{kind}") and not each.endswith("/read") for kind in kinds for each in actions
        )
    }
    scopes = {
        one.id.partition("/providers/Microsoft.Authorization")[0]
        for one in of_type(roles, ASSIGNMENT)
        if body(one)["roleDefinitionId"] in changing and body(one)["principalId"] != verifier(roles)
    }
    assert scopes == {f"/subscriptions/{each['subscriptionId']}/resourceGroups/rg-mw-backup" for each in FLEET}


def verifier(roles: BicepFile) -> str:
    found: str = roles.parameters["made"]["principals"]["verifier"]
    return found


def test_a_group_for_backups_is_made_in_each_subscription_unless_it_is_there() -> None:
    groups = [one.id for one in of_type(deployed(fleet=FLEET), GROUP) if one.name == "rg-mw-backup"]
    assert groups == [f"/subscriptions/{each['subscriptionId']}/resourceGroups/rg-mw-backup" for each in FLEET]
    kept = deployed().parameters["kept"] | {"backupGroups": [HOME, OTHER]}
    assert [one for one in of_type(deployed(fleet=FLEET, kept=kept), GROUP) if one.name == "rg-mw-backup"] == []


def test_the_group_of_the_backup_vaults_is_called_by_the_name_that_scripts_look_for() -> None:
    """They write the installation's name in small letters with hyphens, as names of other resources need it."""
    groups = {one.name for one in of_type(deployed(environmentName="Other_One", fleet=FLEET), GROUP)}
    assert groups >= {"rg-other-one", "rg-other-one-backup"}
    assert "rg-other_one-backup" not in {name.lower() for name in groups}


def test_the_rotator_can_neither_import_nor_delete_purge_or_back_up_what_the_key_vault_holds() -> None:
    main = deployed(reuse={"keyVaultId": VAULT})
    roles = granted(main)
    held = [one for one in of_type(roles, ASSIGNMENT) if one.id.startswith(f"{VAULT}/")]
    definitions = {one.id: body(one)["permissions"] for one in of_type(roles, ROLE)}
    (permissions,) = definitions[body(held[0])["roleDefinitionId"]]
    assert len(held) == 1, "also in a vault of another subscription"
    assert permissions["actions"] == permissions["notDataActions"] == []
    data = "Microsoft.KeyVault/vaults"
    assert {each.removeprefix(f"{data}/") for each in permissions["dataActions"]} == {
        "certificates/read",
        "certificates/create/action",
        "certificates/update/action",
        "keys/read",
        "keys/sign/action",
    }


def test_our_roles_are_defined_where_the_installation_is_though_its_fleet_is_elsewhere() -> None:
    main = deployed(fleet=[{"subscriptionId": OTHER}])
    roles = granted(main, fleet=[{"subscriptionId": OTHER.upper()}, {"subscriptionId": OTHER}])
    defined = {one.id for one in of_type(roles, ROLE)}
    assert {id.split("/")[2] for id in defined} == {HOME, OTHER}
    used = {body(one)["roleDefinitionId"] for one in of_type(roles, ASSIGNMENT)}
    names = {id.rpartition("/")[2] for id in defined}
    assert {id for id in used if id.rpartition("/")[2] in names} <= defined


def test_evidence_is_immutable_from_the_first_deployment_on_and_the_app_is_told_where_it_is() -> None:
    main = deployed()
    (policy,) = [one for one in main.resources if one.type.endswith("/immutabilityPolicies")]
    (app,) = of_type(main, "Microsoft.Web/sites")
    told = {each["name"]: each["value"] for each in body(app)["siteConfig"]["appSettings"]}
    _, _, account, container = told["MESHWARD_EVIDENCE_URL"].split("/")
    assert f"/storageAccounts/{account}/" in policy.id
    assert f"/containers/{container}/immutabilityPolicies/" in policy.id
    assert body(policy)["immutabilityPeriodSinceCreationInDays"] == 365
    assert told["MESHWARD_STORE_URL"] == f"az://{account}/ledger"
