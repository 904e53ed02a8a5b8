"""The three parameter files say the same of the fleet, and nothing of what main.bicep says by default."""

import json
from typing import Any

import pytest

from local.stage import INFRA
from tests.infra.evaluated import parameters
from tests.worlds.deployments import HOME, OTHER, deployed, granted, subscribed

MADE = {"MESHWARD_MADE": "{}", "MESHWARD_TOPIC_PRINCIPALS": "[]", "MESHWARD_AUDIENCE": "a"}
TOPICS = "/providers/Microsoft.EventGrid/systemTopics/theirs"
OWN: dict[str, Any] = {"fleet": [{"subscriptionId": OTHER}, {"subscriptionId": HOME}]}


def told(name: str, **environ: str) -> dict[str, Any]:
    return parameters(INFRA / f"{name}.bicepparam", {**MADE, "AZURE_SUBSCRIPTION_ID": HOME, **environ})


@pytest.mark.parametrize("name", ["main", "roles", "events"])
@pytest.mark.parametrize(
    ("environ", "fleet"),
    [
        ({}, [HOME]),
        ({"MESHWARD_SUBSCRIPTION_IDS": "", "MESHWARD_PARAMETERS": ""}, [HOME]),
        ({"MESHWARD_SUBSCRIPTION_IDS": f" {HOME} , {OTHER},"}, [HOME, OTHER]),
        ({"MESHWARD_PARAMETERS": json.dumps(OWN), "MESHWARD_SUBSCRIPTION_IDS": HOME}, [OTHER, HOME]),
    ],
    ids=["the current one", "nothing", "a list with blanks", "a file"],
)
def test_all_parameter_files_have_one_fleet(name: str, environ: dict[str, str], fleet: list[str]) -> None:
    theirs = f"/subscriptions/{HOME}{TOPICS}"
    found = told(name, MESHWARD_SYSTEM_TOPICS=f", {theirs} ", **environ)["fleet"]
    assert [each["subscriptionId"] for each in found] == fleet
    assert {each["subscriptionId"]: each["systemTopicId"] for each in found} == dict.fromkeys(fleet) | {HOME: theirs}


def test_a_file_of_ones_own_says_everything() -> None:
    own = {
        **OWN,
        "names": {"vault": "kv-ours"},
        "tags": {"cost": "1"},
        "reuse": {"workspaceId": "/w"},
        "redundancy": "Standard_LRS",
    }
    own |= {"alertMails": ["a@contoso.example"], "network": {"private": True}, "durableBackend": "DurableTaskScheduler"}
    own |= {"backupResourceGroup": "rg-b", "scale": {"alwaysReady": 3}, "verified": [{"kind": "k"}], "locks": False}
    given = json.dumps(own)
    main, roles = told("main", MESHWARD_PARAMETERS=given), told("roles", MESHWARD_PARAMETERS=given)
    for name in ("names", "tags", "reuse", "alertMails", "network", "durableBackend", "backupResourceGroup", "scale"):
        assert main[name] == own[name]
    assert main["kept"]["redundancy"] == "Standard_LRS"
    assert (roles["verified"], roles["locks"]) == (own["verified"], False)


def test_without_one_all_is_as_the_templates_say() -> None:
    for name, file in (("main", deployed()), ("roles", granted()), ("events", subscribed())):
        defaults = file.parameters
        found = told(name, AZURE_ENV_NAME="mw")
        given = {"environmentName", "location", "audience", "made", "topicPrincipals", "fleet"}
        assert found.keys() | given == defaults.keys() | given
        assert {key: value for key, value in found.items() if key not in given} == {
            key: value for key, value in defaults.items() if key not in given
        }
