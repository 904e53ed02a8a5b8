"""What the scripts take for an installation's own, and what only says so, by a stand-in of `az`."""

import json
from pathlib import Path

import pytest

from tests.worlds.rollout_scripts import EVENTS, HOME, MINE, OTHER, OURS, ROLE, THEIRS, Answers, at_home, in_group, ran


def made(tools: Path, answers: Answers, **environ: str) -> dict[str, str]:
    """What is there, by id: as what it is taken."""
    run = ran(tools, answers, **environ)
    assert run.returncode == 0, run.stderr
    return {id: what for what, _, id in (line.partition("\t") for line in run.stdout.splitlines())}


def test_another_installation_of_that_name_in_the_fleet_keeps_its_group_lock_events_and_deployments(
    tools: Path,
) -> None:
    topic = in_group(OTHER, "rg-platform", f"{EVENTS}/platform")
    subscriptions = [f"{topic}/eventSubscriptions/{each}-on-cluster-event" for each in (OURS, THEIRS)]
    lock = in_group(OTHER, "rg-meshward", "/providers/Microsoft.KeyVault/vaults/kv/providers/x/locks/meshward")
    told = made(
        tools,
        [
            *at_home(),
            ("group list", HOME, ["rg-meshward", f"rg-{OURS}-events"]),
            ("group list", OTHER, ["rg-meshward", f"rg-{OURS}-events", f"rg-{THEIRS}-events"]),
            ("lock list", OTHER, [lock]),
            ("eventgrid system-topic list", OTHER, [f"/subscriptions/{OTHER}\t{topic}"]),
            ("eventgrid system-topic event-subscription list", OTHER, subscriptions),
            ("deployment sub list", OTHER, ["/x/deployments/meshward-meshward-westeurope"]),
        ],
    )
    assert {id: what for id, what in told.items() if what != "stays"} == {
        OURS: "base",
        in_group(HOME, "rg-meshward"): "group",
        in_group(HOME, f"rg-{OURS}-events"): "group",
        in_group(OTHER, f"rg-{OURS}-events"): "group",
        subscriptions[0]: "subscription",
    }


VAULT = in_group(OTHER, "rg-roots", "/providers/Microsoft.KeyVault/vaults/kv-shared")
BESIDE = in_group(OTHER, "rg-roots", f"{EVENTS}/egst-{OURS}-vault")
REUSE = {"MESHWARD_PARAMETERS": json.dumps({"reuse": {"keyVaultId": VAULT}})}
SUBSCRIBED = [f"{BESIDE}/eventSubscriptions/{OURS}-on-certificate-event"]


@pytest.mark.parametrize(
    ("topic", "subscribed", "what"),
    [
        (BESIDE, SUBSCRIBED, "topic"),
        (BESIDE, [*SUBSCRIBED, f"{BESIDE}/eventSubscriptions/of-others"], "stays"),
        (BESIDE.replace(OURS, THEIRS), SUBSCRIBED, None),
        (BESIDE.replace(f"egst-{OURS}-vault", "theirs"), SUBSCRIBED, None),
    ],
)
@pytest.mark.parametrize("fleet", [HOME, f"{HOME},{OTHER}"])
def test_the_system_topic_beside_a_key_vault_that_was_there_is_ours_if_it_has_our_name_and_no_others_use_it(
    tools: Path, topic: str, subscribed: list[str], what: str | None, fleet: str
) -> None:
    answers: Answers = [
        *at_home(),
        ("eventgrid system-topic list", OTHER, [f"{VAULT.upper()}\t{topic}"]),
        ("eventgrid system-topic event-subscription list", OTHER, subscribed),
        ("resource list", "rg-roots", [in_group(OTHER, "rg-roots", f"/metricAlerts/alert-{OURS}-dead-letters-egst")]),
        ("role assignment list", "", [f"{MINE}\t{VAULT}/providers/p/roleAssignments/1\tx"]),
    ]
    told = made(tools, answers, **REUSE, MESHWARD_SUBSCRIPTION_IDS=fleet)
    assert told.get(topic) == (what if what != "stays" else None)
    assert any(each.startswith(f"{topic}, as others") for each in told) == (what == "stays")
    assert told[SUBSCRIBED[0]] == "subscription"
    assert "alert" in told.values()
    assert told[f"{VAULT}/providers/p/roleAssignments/1"] == "assignment"


OUR_OWN = [
    in_group(HOME, "rg-meshward", "/providers/Microsoft.Web/sites/func-meshward-ABC123"),
    in_group(HOME, "rg-meshward", "/providers/Microsoft.Storage/storageAccounts/stmeshwardabc123h"),
    in_group(HOME, "rg-meshward", "/providers/Microsoft.Network/privateDnsZones/privatelink.blob.core.windows.net"),
    in_group(HOME, "rg-meshward", "/providers/Microsoft.KeyVault/vaults/kv.own"),
    in_group(HOME, "rg-meshward", f"/providers/microsoft.alertsmanagement/x/failure anomalies - appi-{OURS}"),
    in_group(HOME, "rg-meshward", "/providers/Microsoft.Insights/workbooks/77777777-aaaa\tMeshward"),
    in_group(HOME, "rg-meshward", "/providers/microsoft.insights/actiongroups/Application Insights Smart Detection"),
    in_group(HOME, "rg-meshward", "/providers/Microsoft.Network/privateEndpoints/pep-kv.own-vault"),
    in_group(HOME, "rg-meshward", "/providers/Microsoft.Network/networkInterfaces/pep-kv.own-vault.nic.1234"),
    in_group(HOME, "rg-meshward", "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-own-host"),
    in_group(HOME, "rg-meshward", "/providers/microsoft.alertsmanagement/x/Failure Anomalies - insights"),
    in_group(HOME, "rg-meshward", "/providers/Microsoft.Network/privateDnsZones/privatelink.x/links/meshward"),
]
STRANGE = [
    in_group(HOME, "rg-meshward", "/providers/Microsoft.Sql/servers/payroll"),
    in_group(HOME, "rg-meshward", "/providers/Microsoft.KeyVault/vaults/kv-own"),
    in_group(HOME, "rg-meshward", "/providers/Microsoft.Insights/workbooks/66666666-aaaa\tOf the platform"),
    in_group(HOME, "rg-meshward", f"/providers/Microsoft.Web/sites/func-{THEIRS}"),
    in_group(HOME, "rg-meshward", "/providers/Microsoft.Insights/components/payroll"),
    in_group(HOME, "rg-meshward", "/providers/Microsoft.Network/networkInterfaces/vm-insights"),
    in_group(HOME, "rg-meshward", "/providers/Microsoft.Network/privateEndpoints/pep-sql-server"),
    in_group(HOME, "rg-meshward", "/providers/Microsoft.Sql/servers/payroll/databases/insights"),
    in_group(HOME, "rg-meshward", "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-owner"),
]


def with_strangers(*strangers: str) -> Answers:
    """Our group, with all that is ours and something else, and our events group, with the same."""
    events = [each.replace("rg-meshward", f"rg-{OURS}-events") for each in strangers]
    topic = in_group(HOME, f"rg-{OURS}-events", f"{EVENTS}/egst-{OURS}-clusters")
    return [
        *at_home(),
        ("resource list", "rg-meshward --query [].[", [*OUR_OWN, *strangers]),
        ("resource list", f"rg-{OURS}-events", [topic, *events]),
        ("eventgrid system-topic list", HOME, [f"/subscriptions/{HOME}\t{topic}"]),
        ("group list", HOME, ["rg-meshward", f"rg-{OURS}-events"]),
    ]


NAMES = {"vault": "kv.own", "identity": "id-own", "insights": "insights"}
NAMED = {"MESHWARD_PARAMETERS": json.dumps({"names": NAMES}), "MESHWARD_SUBSCRIPTION_IDS": HOME}


def test_what_others_have_put_into_the_groups_of_an_installation_is_told(tools: Path) -> None:
    told = made(tools, with_strangers(*STRANGE), **NAMED)
    ids = [each.partition("\t")[0] for each in STRANGE]
    found = [id for id, what in told.items() if what == "stranger"]
    assert found == [*ids, *(id.replace("rg-meshward", f"rg-{OURS}-events") for id in ids)]
    assert "stranger" not in made(tools, with_strangers(), **NAMED).values()


def test_nothing_is_removed_while_others_have_something_in_its_groups_unless_they_are_to_go_too(tools: Path) -> None:
    answers = with_strangers(STRANGE[0])
    shown = ran(tools, answers, "remove.sh", **NAMED)
    assert (shown.returncode, STRANGE[0] in shown.stdout) == (0, True)
    refused = ran(tools, answers, "remove.sh", "--yes", **NAMED)
    assert (refused.returncode, "Removing" in refused.stdout) == (1, False)
    assert "move it, or say --strangers" in refused.stderr
    for arguments, given in ((["--yes", "--strangers"], answers), (["--yes"], with_strangers())):
        removed = ran(tools, given, "remove.sh", *arguments, **NAMED)
        assert f"Removing the group {in_group(HOME, 'rg-meshward')}" in removed.stdout


def test_a_group_of_events_that_has_lost_its_topic_is_looked_into_too(tools: Path) -> None:
    strange = in_group(OTHER, f"rg-{OURS}-events", "/providers/Microsoft.Sql/servers/payroll")
    answers: Answers = [
        *at_home(),
        ("group list", OTHER, [f"rg-{OURS}-events"]),
        ("resource list", f"rg-{OURS}-events", [strange]),
    ]
    assert made(tools, answers)[strange] == "stranger"


def test_what_only_has_the_name_stays_once_the_group_that_says_which_it_is_has_gone(tools: Path) -> None:
    answers: Answers = [("account show", "", [HOME]), ("group list", OTHER, [f"rg-{OURS}-events"])]
    assert set(made(tools, answers).values()) == {"stays"}
    assert made(tools, answers, MESHWARD_BASE=OURS)[in_group(OTHER, f"rg-{OURS}-events")] == "group"
    assert set(made(tools, answers, MESHWARD_BASE=THEIRS).values()) == {"base"}


@pytest.mark.parametrize("base", ["meshward-.*", "other-abc123", "meshward-abc1234", "x\nmeshward-abc123"])
def test_a_base_is_none_of_another_name_and_no_pattern(tools: Path, base: str) -> None:
    assert ran(tools, at_home(), MESHWARD_BASE=base).returncode == 1


def test_parts_of_two_installations_in_one_group_are_told_apart_by_whoever_removes_one(tools: Path) -> None:
    both: Answers = [("resource list", "--query [].name", [f"func-{OURS}", f"plan-{THEIRS}"]), *at_home()]
    assert "MESHWARD_BASE says which" in ran(tools, both).stderr
    assert made(tools, both, MESHWARD_BASE=OURS)[OURS] == "base"


def test_a_name_that_is_given_is_no_pattern(tools: Path) -> None:
    given = {"names": {"resourceGroup": "rg-mesh.(prod)", "eventsGroup": "rg.events"}}
    names = ["rg-mesh.(prod)", "rg-mesh.prod", "rg-mesh-prod", "RG.events", "rg-events"]
    told = made(tools, [*at_home(), ("group list", HOME, names)], MESHWARD_PARAMETERS=json.dumps(given))
    found = {id.rpartition("/")[2] for id, what in told.items() if what == "group"}
    assert found == {"rg-mesh.(prod)", "RG.events"}


@pytest.mark.parametrize("name", [".*", "m' + __import__('os').abort() + '", "a b", "$(id)", "mesh\nward", "-|.*"])
def test_the_name_of_an_installation_is_no_pattern_and_no_program(tools: Path, name: str) -> None:
    run = ran(tools, [*at_home(), ("group list", HOME, ["rg-production"])], AZURE_ENV_NAME=name)
    assert run.returncode == 1
    assert "letters, digits and hyphens" in run.stderr
    assert run.stdout == ""


def test_a_lock_that_has_our_name_and_not_our_place_is_somebody_elses(tools: Path) -> None:
    own = in_group(HOME, "rg-meshward", f"/providers/x/vaults/kv-{OURS}/providers/y/locks/meshward")
    strange = in_group(HOME, "rg-meshward", "/providers/y/locks/meshward")
    told = made(tools, [*at_home(), ("lock list", HOME, [own, strange])])
    assert [id for id, what in told.items() if what == "lock"] == [own]


def test_an_assignment_is_ours_by_its_principal_and_not_by_a_name_that_somebody_gave(tools: Path) -> None:
    scopes = {"rg-meshward-backup": MINE, MINE: "somebody", f"x-{ROLE}": "somebody-else"}
    rows = [
        f"{principal}\t{in_group(OTHER, group, '/providers/p/roleAssignments/1')}\t/roleDefinitions/other"
        for group, principal in scopes.items()
    ]
    definitions = [f"/roleDefinitions/{ROLE}\t{ROLE}"]
    told = made(
        tools, [*at_home(), ("role assignment list", OTHER, rows), ("role definition list", OTHER, definitions)]
    )
    assert [id for id, what in told.items() if what == "assignment"] == [
        in_group(OTHER, "rg-meshward-backup", "/providers/p/roleAssignments/1")
    ]


def test_a_registration_is_ours_by_its_id_and_not_by_its_name(tools: Path) -> None:
    answers: Answers = [*at_home(), ("ad app list", "", ["of-a-stranger", "ours"])]
    told = made(tools, answers, MESHWARD_AUDIENCE="ours")
    assert [id for id, what in told.items() if what == "registration"] == ["ours"]
    assert "registration" not in made(tools, answers).values()
    renamed: Answers = [*at_home(), ("ad app list --app-id ours", "", ["ours"])]
    assert made(tools, renamed, MESHWARD_AUDIENCE="ours")["ours"] == "registration"


def test_a_group_with_something_that_was_there_before_stays(tools: Path) -> None:
    workspace = in_group(HOME, "RG-Meshward", "/providers/Microsoft.OperationalInsights/workspaces/theirs")
    given = json.dumps({"reuse": {"workspaceId": workspace, "actionGroupId": None}})
    answers: Answers = [*at_home(), ("group list", HOME, ["rg-meshward"])]
    assert made(tools, answers)[in_group(HOME, "rg-meshward")] == "group"
    assert set(made(tools, answers, MESHWARD_PARAMETERS=given).values()) == {"base", "stays"}


def test_a_subscription_is_the_same_in_capitals(tools: Path) -> None:
    other = OTHER.replace("2222-4222", "abcd-4222")
    topic: Answers = [
        ("eventgrid system-topic list", f"--subscription {other} ", [f"/subscriptions/{other.upper()}\ta-topic"])
    ]
    run = ran(tools, topic, "topics.sh", MESHWARD_SUBSCRIPTION_IDS=other.upper())
    assert run.stdout == "a-topic\n"


def test_evidence_is_not_locked_on_an_account_that_may_be_somebody_elses(tools: Path) -> None:
    answers: Answers = [
        ("account show", "", [HOME]),
        ("storage account list", "", ["rg-meshward\tstmeshwardabc123s", "rg-meshward\tstmeshwardzzz999s"]),
    ]
    run = ran(tools, answers, "evidence.sh", "lock", AZURE_RESOURCE_GROUP="rg-meshward")
    assert run.returncode == 1
    assert "Several accounts of rg-meshward" in run.stderr


@pytest.mark.parametrize(
    ("inside", "goes"),
    [("/providers/Microsoft.Authorization/roleAssignments/1", True), ("/providers/p/backupVaults/v", False)],
)
def test_a_group_for_backups_goes_with_the_installation_once_no_vault_is_in_it(
    tools: Path, inside: str, goes: bool
) -> None:
    group = in_group(OTHER, "rg-meshward-backup")
    held = ("resource list", f"{OTHER} --resource-group rg-meshward-backup", [f"{group}{inside}"])
    found = made(tools, [("group list", OTHER, ["rg-meshward-backup"]), held, *at_home()])
    assert (found.get(group) == "group") is goes
    own = '{"backupResourceGroup": "rg-meshward-backup"}'
    theirs = made(tools, [("group list", OTHER, ["rg-meshward-backup"]), held, *at_home()], MESHWARD_PARAMETERS=own)
    assert group not in theirs, "it may have been there before"
