"""What infra/ deploys, resource by resource, with public and private networks and over several subscriptions."""

import json

import pytest

from local.stage import INFRA
from tests.infra.evaluated import BicepFile, Resource, Scope, parameters
from tests.worlds.deployed_resources import ACCOUNT, ALERT, ASSIGNMENT, body, of_type
from tests.worlds.deployments import HOME, OTHER, PRIVATE, VERIFIED, deployed, granted, subscribed

ROLES = json.loads((INFRA / "roles.json").read_text())
DUTIES = ("host", "rotator", "provisioner", "verifier")
TABLE = json.loads((INFRA / "subscriptions.json").read_text())


def test_each_assignment_of_the_table_is_made_at_its_scope_for_its_identity_in_each_subscription() -> None:
    fleet = [{"subscriptionId": HOME}, {"subscriptionId": OTHER}]
    main = deployed(fleet=fleet, durableBackend="DurableTaskScheduler")
    file = granted(main, fleet=fleet, verified=[{"kind": kind, "id": id} for kind, id in VERIFIED.items()])
    made = [one for one in of_type(file, ASSIGNMENT) if "/containers/deadletters/" not in one.id]
    identities = of_type(main, "Microsoft.ManagedIdentity/userAssignedIdentities")
    holders = {one.read("properties").read("principalId"): one.name.rpartition("-")[2] for one in identities}
    found = sorted((holders[body(one)["principalId"]], at(one)) for one in made)
    times = {"subscription": len(fleet), "backupGroup": len(fleet)}
    wanted = [(each["identity"], each["at"]) for each in ROLES["assignments"] for _ in range(times.get(each["at"], 1))]
    assert found == sorted(wanted)
    assert all(body(one)["principalType"] == "ServicePrincipal" for one in made)


def at(assignment: Resource) -> str:
    """The word of roles.json for the scope of an assignment."""
    scope = assignment.id.partition("/providers/Microsoft.Authorization")[0]
    kinds = {"vaults": "keyVault", "topics": "eventTopic", "components": "insights", "schedulers": "scheduler"}
    kind, name = scope.split("/")[-2:]
    if kind == "storageAccounts":
        return "shareAccount" if scope == VERIFIED["shareAccount"] else "hostStorage"
    if kind == "containers":
        return name
    if name == "rg-mw-backup":
        return "backupGroup"
    group = next((word for word, id in VERIFIED.items() if scope == id), "subscription")
    return kinds.get(kind, group)


def test_only_the_provisioner_assigns_roles_and_only_under_a_condition_on_roles_and_kinds_of_principals() -> None:
    write = "Microsoft.Authorization/roleAssignments/write"
    definitions = {d.id: body(d) for d in of_type(granted(), "Microsoft.Authorization/roleDefinitions")}
    ours = deployed().read("outputs")["MESHWARD_MADE"]["principals"].values()
    may = {id for id, d in definitions.items() if write in d["permissions"][0]["actions"]}
    assert [definitions[id]["roleName"] for id in may] == [f"Meshward provisioner ({HOME})"]
    for assignment in of_type(granted(), "Microsoft.Authorization/roleAssignments"):
        condition = body(assignment).get("condition")
        assert (body(assignment)["roleDefinitionId"] in may) is (condition is not None)
        if condition:
            assert all(role in condition for role in ROLES["grantable"].values())
            assert "StringEqualsIgnoreCase {'ServicePrincipal'}" in condition
            _, _, excluded = condition.partition(":PrincipalId] ForAnyOfAllValues:GuidNotEquals {")
            assert {*excluded.partition("}")[0].split(", ")} == {*ours}, "it grants itself nothing"


def test_each_event_subscription_has_its_filters_its_retries_and_a_dead_letter_place_by_identity() -> None:
    made = [r for r in subscribed().resources if r.type.endswith("/eventSubscriptions")]
    found = {body(one)["destination"]["properties"]["resourceId"].rpartition("/")[2]: body(one) for one in made}
    assert found.keys() == {each["function"] for each in TABLE["subscriptions"]}
    for each in TABLE["subscriptions"]:
        one = found[each["function"]]
        assert one["filter"] == {"includedEventTypes": each["types"], "advancedFilters": each["filters"]}
        assert one["eventDeliverySchema"] == "CloudEventSchemaV1_0"
        retry = {
            "maxDeliveryAttempts": TABLE["retry"]["attempts"],
            "eventTimeToLiveInMinutes": TABLE["retry"]["minutes"],
        }
        assert one["retryPolicy"] == retry
        assert one["deadLetterWithResourceIdentity"]["identity"] == {"type": "SystemAssigned"}


def test_each_subscription_of_the_fleet_has_its_system_topic_or_the_one_that_was_there() -> None:
    there = f"/subscriptions/{OTHER}/resourceGroups/rg-x/providers/Microsoft.EventGrid/systemTopics/theirs"
    fleet = [{"subscriptionId": HOME}, {"subscriptionId": OTHER, "systemTopicId": there}]
    main, file = deployed(fleet=fleet), subscribed(fleet=fleet)
    topics = [t for t in of_type(main, "Microsoft.EventGrid/systemTopics") if body(t)["source"].count("/") == 2]
    assert [body(topic)["source"] for topic in topics] == [f"/subscriptions/{HOME}"]
    assert any(r.id.startswith(f"{there}/eventSubscriptions/") for r in file.resources)


def test_dead_letters_of_every_topic_are_told_to_somebody() -> None:
    there = f"/subscriptions/{OTHER}/resourceGroups/rg-x/providers/Microsoft.EventGrid/systemTopics/theirs"
    file = subscribed(fleet=[{"subscriptionId": HOME}, {"subscriptionId": OTHER, "systemTopicId": there}])
    watched = {body(alert)["scopes"][0] for alert in of_type(file, ALERT)}
    made = [r.id for r in file.resources if r.type.endswith("/eventSubscriptions")]
    assert watched == {id.partition("/eventSubscriptions/")[0] for id in made}
    groups = [
        *of_type(deployed(), "Microsoft.Insights/actionGroups"),
        *of_type(file, "Microsoft.Insights/actionGroups"),
    ]
    told = {group.id: [each["emailAddress"] for each in body(group)["emailReceivers"]] for group in groups[1:]}
    assert set(map(tuple, told.values())) == {("ops@contoso.example",)}
    for alert in of_type(file, ALERT):
        (action,) = body(alert)["actions"]
        assert action["actionGroupId"] in {group.id for group in groups}
        assert subscription(action["actionGroupId"]) == subscription(alert.id)


def subscription(id: str) -> str:
    return id.split("/")[2]


def test_two_installations_over_one_fleet_share_no_name_but_those_of_the_roles() -> None:
    theirs = f"/subscriptions/{OTHER}/resourceGroups/rg-x/providers/Microsoft.EventGrid/systemTopics/theirs"
    fleet = [{"subscriptionId": OTHER, "systemTopicId": theirs}]
    verified = [{"kind": kind, "id": id} for kind, id in VERIFIED.items()]
    made: list[set[str]] = []
    for name in ("mw", "mw2"):
        main = deployed(environmentName=name, fleet=fleet)
        later = (granted(main, fleet=fleet, verified=verified), subscribed(main, fleet=fleet))
        made.append({one.id for file in (main, *later) for one in file.resources})
    assert {id.split("/")[-2] for id in made[0] & made[1]} == {"roleDefinitions"}


def test_an_assignment_is_named_by_its_principal_which_is_another_after_a_removal() -> None:
    assignments = INFRA / "modules" / "subscription.bicep"
    names = []
    for last in "ab":
        principal = f"11111111-1111-4111-8111-11111111111{last}"
        file = BicepFile(assignments, {"principals": dict.fromkeys(DUTIES, principal)}, Scope(HOME))
        names.append({one.name for one in of_type(file, ASSIGNMENT)})
    assert not names[0] & names[1]


def test_each_topic_may_put_dead_letters_down_before_anything_subscribes_to_it() -> None:
    there = f"/subscriptions/{OTHER}/resourceGroups/rg-x/providers/Microsoft.EventGrid/systemTopics/theirs"
    fleet = [{"subscriptionId": HOME}, {"subscriptionId": OTHER, "systemTopicId": there}]
    main = deployed(fleet=fleet)
    topics = [one for one in main.resources if one.type.startswith("Microsoft.EventGrid/")]
    identities = {one.read("identity").read("principalId") for one in topics}
    found = {body(one)["principalId"] for one in of_type(granted(main), ASSIGNMENT) if "/deadletters/" in one.id}
    assert len(topics) == 3
    assert identities < found  # theirs, too
    assert len(found) == 4


def test_only_one_of_the_three_templates_asks_for_the_rights_of_an_owner() -> None:
    main = deployed(**PRIVATE, durableBackend="DurableTaskScheduler")
    for file in (main, subscribed(main)):
        assert [one.type for one in file.resources if one.type.startswith("Microsoft.Authorization/")] == []
    assert {one.type.partition("/")[0] for one in granted(main).resources} == {"Microsoft.Authorization"}


def test_a_locked_policy_is_left_alone_and_a_deleted_vault_comes_back() -> None:
    policy = "Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies"
    for locked, deleted, policies, mode in ((False, False, 1, "default"), (True, True, 0, "recover")):
        kept = {"redundancy": "Standard_LRS", "evidenceDays": 9, "evidenceLocked": locked, "vaultDeleted": deleted}
        file = deployed(kept=kept)
        assert len(of_type(file, policy)) == policies
        assert [body(vault)["createMode"] for vault in of_type(file, "Microsoft.KeyVault/vaults")] == [mode]
        assert {one.body["sku"]["name"] for one in of_type(file, ACCOUNT) if one.body} == {"Standard_LRS"}


def test_one_parameter_closes_storage_key_vault_and_topic_and_lets_only_event_grid_and_named_callers_in() -> None:
    public, private = deployed(), deployed(**PRIVATE)
    assert of_type(public, "Microsoft.Network/privateEndpoints") == []
    reached = {
        body(e)["privateLinkServiceConnections"][0]["name"]
        for e in of_type(private, "Microsoft.Network/privateEndpoints")
    }
    assert reached == {"blob", "queue", "table", "vault", "topic"}
    for kind in ("Microsoft.KeyVault/vaults", "Microsoft.EventGrid/topics"):
        assert [body(one)["publicNetworkAccess"] for one in of_type(public, kind)] == ["Enabled"]
        assert [body(one)["publicNetworkAccess"] for one in of_type(private, kind)] == ["Disabled"]
    for account in of_type(private, "Microsoft.Storage/storageAccounts"):
        assert body(account)["networkAcls"] == {"bypass": "AzureServices", "defaultAction": "Deny"}
    (app,) = of_type(private, "Microsoft.Web/sites")
    assert body(app)["virtualNetworkSubnetId"].endswith("/subnets/functions")
    admitted = [rule["ipAddress"] for rule in body(app)["siteConfig"]["ipSecurityRestrictions"]]
    assert admitted == ["AzureEventGrid", "203.0.113.0/24"]


def test_no_key_opens_anything() -> None:
    file = deployed()
    for account in of_type(file, "Microsoft.Storage/storageAccounts"):
        assert body(account)["allowSharedKeyAccess"] is False
    for name, type in (
        ("disableLocalAuth", "Microsoft.EventGrid/topics"),
        ("DisableLocalAuth", "Microsoft.Insights/components"),
    ):
        assert [body(one)[name] for one in of_type(file, type)] == [True]
    assert {body(p)["allow"] for p in of_type(file, "Microsoft.Web/sites/basicPublishingCredentialsPolicies")} == {
        False
    }


@pytest.mark.parametrize("backend", ["AzureStorage", "DurableTaskScheduler"])
def test_the_durable_backend_is_a_parameter(backend: str) -> None:
    file = deployed(durableBackend=backend)
    (app,) = of_type(file, "Microsoft.Web/sites")
    settings = {each["name"]: each["value"] for each in body(app)["siteConfig"]["appSettings"]}
    scheduled = settings.get("DURABLE_TASK_SCHEDULER_CONNECTION_STRING", "")
    assert bool(of_type(file, "Microsoft.DurableTask/schedulers")) is (backend == "DurableTaskScheduler")
    assert ("Authentication=ManagedIdentity" in scheduled) is (backend == "DurableTaskScheduler")


def test_without_an_audience_nothing_is_deployed() -> None:
    with pytest.raises(KeyError, match="MESHWARD_AUDIENCE"):
        parameters(INFRA / "main.bicepparam", {"AZURE_SUBSCRIPTION_ID": HOME})


@pytest.mark.parametrize(
    ("days", "kept"), [({}, 365), ({"MESHWARD_EVIDENCE_DAYS": ""}, 365), ({"MESHWARD_EVIDENCE_DAYS": "9"}, 9)]
)
def test_evidence_is_kept_for_a_year_or_as_the_environment_says(days: dict[str, str], kept: int) -> None:
    said = parameters(INFRA / "main.bicepparam", {"MESHWARD_AUDIENCE": "a", **days})
    assert said["kept"]["evidenceDays"] == kept


def test_names_are_short_enough_for_azure() -> None:
    file = deployed(environmentName="m" * 12)
    longest = {"Microsoft.Storage/storageAccounts": 24, "Microsoft.KeyVault/vaults": 24, "Microsoft.Web/sites": 32}
    for type, most in longest.items():
        assert all(len(one.name) <= most for one in of_type(file, type)), type


def test_an_alert_on_a_line_stays_until_somebody_closes_it() -> None:
    rules = of_type(deployed(), "Microsoft.Insights/scheduledQueryRules")
    assert rules
    assert all(body(rule)["autoMitigate"] is False for rule in rules)


def test_an_alert_is_made_before_anything_was_logged() -> None:
    """A new workspace doesn't know its tables yet: "Failed to resolve table or column expression"."""
    rules = of_type(deployed(), "Microsoft.Insights/scheduledQueryRules")
    assert all(body(rule)["skipQueryValidation"] is True for rule in rules)
