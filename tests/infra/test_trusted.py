"""Outputs of the first deployment lead roles and events nowhere else, whoever has written them."""

import json
from typing import Any

import pytest

from tests.worlds.rollout_scripts import (
    ACTIONS,
    FLEET_TOPIC,
    GROUP,
    MADE,
    OURS,
    STRANGE_TOPIC,
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
    own = {"names": {"actionGroup": "ag-own"}, "reuse": {"actionGroupId": "/subscriptions/x/ag"}}
    made = with_("names.actionGroup", "AG-own") | {"actionGroupId": "/subscriptions/X/ag"}
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
        ("names.resourceGroup", "rg-other", "another group or key vault"),
        ("keyVaultTopicId", STRANGE_TOPIC, "is the key vault's topic, which it isn't"),
        ("keyVaultTopicId", FLEET_TOPIC, "is the key vault's topic, which it isn't"),
        ("actionGroupId", ACTIONS.replace(GROUP, "rg-other"), "another action group"),
        ("names.actionGroup", "ag-platform", "the actiongroup is called ag-platform"),
        ("names.base", "meshward-zzz999", "the base is called meshward-zzz999"),
        ("names.base", "-", "the base is called -"),
    ],
)
def test_what_is_not_there_is_not_believed(tools: Any, script: str, path: str, value: str, complaint: str) -> None:
    done, told = deployed(tools, script, with_(path, value), {}, "fleet-topic-id")
    assert complaint in told.replace(value.lower(), value)
    assert not done


def test_no_stranger_may_put_dead_letters_down(tools: Any) -> None:
    done, told = deployed(tools, "roles.sh", MADE, {}, "fleet-topic-id", "a-stranger")
    assert "a topic is a-stranger" in told
    assert not done
