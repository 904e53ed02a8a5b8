"""Outputs of the first deployment lead roles and events nowhere else, whoever has written them."""

import json
import re
from typing import Any

import pytest

from tests.worlds.rollout_scripts import (
    ACTIONS,
    FLEET_TOPIC,
    GROUP,
    INFRA,
    MADE,
    OURS,
    STRANGE_TOPIC,
    THEIRS,
    VAULT,
    note_calls,
    ran,
    there,
)


def with_(path: str, value: str) -> dict[str, Any]:
    """The outputs with something else at a path."""
    made: dict[str, Any] = json.loads(json.dumps(MADE))
    *parents, last = path.split(".")
    inner = made
    for each in parents:
        inner = inner[each]
    inner[last] = value
    return made


def deployed(tools: Any, script: str, made: dict[str, Any], own: dict[str, Any], *topics: str) -> tuple[bool, str]:
    """Whether a script has deployed anything, and what it said."""
    given = {
        "AZURE_LOCATION": "westeurope",
        "AZURE_RESOURCE_GROUP": GROUP,
        "FUNCTION_APP": f"func-{OURS}",
        "MESHWARD_MADE": json.dumps(made),
        "MESHWARD_TOPIC_PRINCIPALS": json.dumps(topics),
        "MESHWARD_PARAMETERS": json.dumps(own),
    }
    run = ran(tools, there(), script, **given)
    asked = (tools / "asked").read_text() if (tools / "asked").exists() else ""
    return "deployment sub create" in asked, run.stderr


@pytest.fixture(autouse=True)
def noting(tools: Any) -> None:
    note_calls(tools)


@pytest.mark.parametrize("script", ["roles.sh", "after-code.sh"])
def test_what_is_there_is_believed(tools: Any, script: str) -> None:
    assert deployed(tools, script, MADE, {}, "fleet-topic-id") == (True, "")


def test_what_the_parameters_give_is_believed(tools: Any) -> None:
    reuse, names = {"actionGroupId": "/subscriptions/x/ag"}, {"actionGroup": "ag-own"}
    own = {"names": names, "reuse": reuse, "durableBackend": "DurableTaskScheduler"}
    made = with_("names.actionGroup", "AG-own") | {"actionGroupId": "/subscriptions/X/ag", "scheduled": True}
    assert deployed(tools, "after-code.sh", made, own) == (True, "")


@pytest.mark.parametrize("script", ["roles.sh", "after-code.sh"])
@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("principals.provisioner", "a-stranger", "the provisioner is a-stranger"),
        ("principals.rotator", "verifier-id", "the rotator is verifier-id"),
        ("principals.topic", "strange-id", "a topic is strange-id"),
        ("principals.topic", "data-topic-id", "a topic is data-topic-id"),
        ("principals.keyVaultTopic", "a-stranger", "a topic is a-stranger"),
        ("keyVaultId", VAULT.replace(GROUP, "rg-other"), "another group or key vault"),
        ("keyVaultId", VAULT.replace("/vaults/kv", "/../rg-other"), "another group or key vault"),
        ("keyVaultId", f"{VAULT}x", "another group or key vault"),
        ("names.resourceGroup", "rg-other", "another group or key vault"),
        ("keyVaultTopicId", STRANGE_TOPIC, "is the key vault's topic, which it isn't"),
        ("keyVaultTopicId", FLEET_TOPIC, "is the key vault's topic, which it isn't"),
        ("actionGroupId", ACTIONS.replace(GROUP, "rg-other"), "another action group"),
        ("names.actionGroup", "ag-platform", "the actiongroup is called ag-platform"),
        ("names.base", "meshward-zzz999", "the plan is called plan-meshward-abc123"),
        ("names.base", "-", "the base is called -"),
        ("names.hostAccount", f"{MADE['names']['storeAccount']}", "the hostaccount is called stmeshwardabc123s"),
        ("names.functionApp", f"func-x-{OURS}", "the functionapp is called func-x-meshward-abc123"),
        ("names.endpoint", "x", "the endpoint is called x"),
        ("names.more", "x", "the more is called x"),
        ("scheduled", "yes", "another place for the state of flows"),
    ],
)
def test_what_is_not_there_is_not_believed(tools: Any, script: str, path: str, value: str, complaint: str) -> None:
    done, told = deployed(tools, script, with_(path, value), {}, "fleet-topic-id")
    assert complaint in told.replace(value.lower(), value)
    assert not done


def test_what_a_stranger_has_written_does_nothing_in_a_terminal(tools: Any) -> None:
    _, told = deployed(tools, "roles.sh", with_("names.plan", "x\x1b]0;y\r\nz"), {}, "fleet-topic-id")
    assert "the plan is called x?]0;y??z, which" in told
    assert told.replace("\n", "").isprintable()


def test_no_stranger_may_put_dead_letters_down(tools: Any) -> None:
    done, told = deployed(tools, "roles.sh", MADE, {}, "fleet-topic-id", "a-stranger")
    assert "a topic is a-stranger" in told
    assert not done


@pytest.mark.parametrize(
    "twice",
    [
        '"keyvaultid": "/subscriptions/x/resourceGroups/y/providers/z/vaults/theirs", ',
        '"keyVault\\u0049d": "/subscriptions/x/resourceGroups/y/providers/z/vaults/theirs", ',
        '"\N{KELVIN SIGN}eyVaultId": "/subscriptions/x/resourceGroups/y/providers/z/vaults/theirs", ',
    ],
)
def test_outputs_that_resource_manager_could_read_otherwise_are_not_believed(tools: Any, twice: str) -> None:
    given = {"AZURE_LOCATION": "westeurope", "MESHWARD_MADE": "{" + twice + json.dumps(MADE)[1:]}
    run = ran(tools, there(), "roles.sh", **given, MESHWARD_TOPIC_PRINCIPALS="[]")
    assert "A name is there twice" in run.stderr
    assert "deployment sub create" not in (tools / "asked").read_text()


def test_identities_with_other_letters_are_not_taken_for_the_installations(tools: Any) -> None:
    """Whoever may make identities in the group, and write outputs, would get their roles."""
    theirs = f"identity\tid-{THEIRS}-rotator\ttheir-id"
    answers = [(start, who, [*lines, theirs] if start == "identity list" else lines) for start, who, lines in there()]
    given = {"AZURE_LOCATION": "westeurope", "MESHWARD_TOPIC_PRINCIPALS": "[]"}
    run = ran(tools, answers, "roles.sh", **given, MESHWARD_MADE=json.dumps(MADE))
    assert f"id-{THEIRS}-rotator may be of this installation or of another" in run.stderr
    forged = json.dumps(MADE).replace("abc123", "zzz999").replace("rotator-id", "their-id")
    assert ran(tools, answers, "roles.sh", **given, MESHWARD_MADE=forged).returncode == 1
    assert "deployment sub create" not in (tools / "asked").read_text()


@pytest.mark.parametrize("roles", ["yes", "no"])
@pytest.mark.parametrize("app", ["func-x", f"func-{OURS}"])
def test_code_goes_to_no_app_that_only_the_outputs_name(tools: Any, app: str, roles: str) -> None:
    outputs = {"FUNCTION_APP": app, "MESHWARD_MADE": MADE, "MESHWARD_TOPIC_PRINCIPALS": []}
    shown = json.dumps({name: {"value": value} for name, value in outputs.items()})
    registered = re.findall(r"\b[A-Z]\w+\b", (INFRA / "providers.sh").read_text())
    answers = [*there(), ("deployment sub show", "", [shown]), ("group exists", "", ["false"])]
    answers.append(("provider list", "", [f"Microsoft.{each}" for each in registered]))
    given = {"AZURE_LOCATION": "westeurope", "MESHWARD_AUDIENCE": "a", "MESHWARD_DEPLOY_ROLES": roles}
    run = ran(tools, answers, "provision.sh", **given)
    expected = "" if app == "func-x" else f"AZURE_RESOURCE_GROUP={GROUP}\nFUNCTION_APP={app}\n"
    assert (run.stdout.replace("deployed\n", ""), run.returncode) == (expected, 0 if expected else 1)
    assert ("FUNCTION_APP is func-x" in run.stderr) is not bool(expected)
