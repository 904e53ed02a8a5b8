"""What is asked of Azure before the first template, and told to it."""

import json
import re
from typing import Any

import pytest

from tests.worlds.rollout_scripts import HOME, INFRA, OTHER, Answers, ran

GIVEN = {"AZURE_LOCATION": "West Europe", "MESHWARD_AUDIENCE": "a"}


def told(tools: Any, *groups: str, **environ: str) -> dict[str, str]:
    answers = [("account show", "", [HOME]), *(("group exists", each, ["true"]) for each in groups)]
    run = ran(tools, [*answers, ("group exists", "", ["false"])], "before.sh", "look", **{**GIVEN, **environ})
    assert run.returncode == 0, run.stderr
    return dict(line.split("=", 1) for line in run.stdout.splitlines())


def test_subscriptions_whose_group_for_backups_is_there_are_told_as_it_stays_in_its_region(tools: Any) -> None:
    assert told(tools)["MESHWARD_BACKUP_GROUPS"] == ""
    assert told(tools, OTHER)["MESHWARD_BACKUP_GROUPS"] == OTHER
    assert told(tools, HOME, OTHER)["MESHWARD_BACKUP_GROUPS"] == f"{HOME},{OTHER}"
    own = f'{{"backupResourceGroup": "rg-b", "fleet": [{{"subscriptionId": "{OTHER}"}}]}}'
    assert told(tools, f"{OTHER} --name rg-b", MESHWARD_PARAMETERS=own)["MESHWARD_BACKUP_GROUPS"] == OTHER


def test_a_resource_group_that_azd_works_in_otherwise_is_not_taken_for_the_installations(tools: Any) -> None:
    assert told(tools, AZURE_RESOURCE_GROUP="rg-others")["AZURE_RESOURCE_GROUP"] == "rg-meshward"


VAULTS = "subscriptions/s/resourceGroups/RG-Meshward/providers/Microsoft.KeyVault/vaults"


@pytest.mark.parametrize(
    ("region", "id", "own", "state"),
    [
        ("westeurope", f"/{VAULTS}/kv-meshward-abc123", {}, "Deleted"),
        ("northeurope", f"/{VAULTS}/kv-meshward-abc123", {}, "Kept"),
        ("westeurope", f"/{VAULTS}/kv-of-others", {}, "Kept"),
        ("westeurope", f"/{VAULTS}/kv-meshward-abc1234", {}, "Kept"),
        ("westeurope", f"/{VAULTS}/kv-meshward-abc123", {"names": {"vault": "kv-own"}}, "Kept"),
        ("westeurope", f"/{VAULTS}/KV-own", {"names": {"vault": "kv-own"}}, "Deleted"),
        ("westeurope", f"/{VAULTS.replace('Meshward', 'x')}/kv-meshward-abc123", {}, "Kept"),
    ],
)
def test_only_the_vault_of_this_installation_comes_back(tools: Any, region: str, id: str, own: Any, state: str) -> None:
    """Resource Manager refuses to recover what wasn't deleted: SoftDeletedVaultDoesNotExist."""
    answers: Answers = [("account show", "", [HOME]), ("keyvault list-deleted", "", [f"{region}\t{id}"])]
    run = ran(tools, answers, "before.sh", "look", **GIVEN, MESHWARD_PARAMETERS=json.dumps(own))
    assert run.stdout.splitlines()[-1] == f"MESHWARD_VAULT_STATE={state}"


@pytest.mark.parametrize(
    ("environ", "complaint"),
    [
        ({"MESHWARD_PARAMETERS": "../meshward.json"}, "It is the text of a file, and not its path"),
        ({"MESHWARD_PARAMETERS": "[]"}, "MESHWARD_PARAMETERS is no JSON object"),
        ({"MESHWARD_PARAMETERS": '{"netwrok": {}}'}, "MESHWARD_PARAMETERS has netwrok, which nothing reads"),
        ({"MESHWARD_PARAMETERS": '{"network": {"privat": true}}'}, "network has privat, which nothing reads"),
        ({"MESHWARD_PARAMETERS": '{"fleet": [{"subscriptionId": "prod"}]}'}, "'prod' of the fleet is no id"),
        ({"MESHWARD_SUBSCRIPTION_IDS": f"{HOME}, My Subscription"}, "'My Subscription' of the fleet is no id"),
        ({"AZURE_SUBSCRIPTION_ID": OTHER}, f"az works in {HOME}, and AZURE_SUBSCRIPTION_ID is another"),
    ],
)
@pytest.mark.parametrize("script", ["before.sh", "made.sh", "roles.sh", "evidence.sh"])
def test_what_is_told_and_not_understood_is_refused_by_every_script(
    tools: Any, script: str, environ: dict[str, str], complaint: str
) -> None:
    given = {**GIVEN, "AZURE_RESOURCE_GROUP": "rg-meshward", **environ}
    arguments = ["state"] if script == "evidence.sh" else []
    run = ran(tools, [("account show", "", [HOME])], script, *arguments, **given)
    assert complaint in run.stderr
    assert (run.returncode, run.stdout) == (1, "")


def test_names_that_the_scripts_understand_are_those_that_bicep_reads() -> None:
    said = (INFRA / "given.sh").read_text()
    known = {
        name: set(re.findall(r"\w+", "".join(re.findall(r'"([^"]*)"', text))))
        for name, text in re.findall(r'^    "(\w+)": (.*?),$', said, re.MULTILINE | re.DOTALL)
    }
    files = "".join((INFRA / f"{name}.bicepparam").read_text() for name in ("main", "roles", "events"))
    types = (INFRA / "modules" / "types.bicep").read_text()
    read = {"MESHWARD_PARAMETERS": set(re.findall(r"\bown\.\?(\w+)", files))}
    for name in ("names", "network", "reuse", "scale"):
        (text,) = re.findall(rf"^type {name}Type = {{\n(.*?)^}}", types, re.MULTILINE | re.DOTALL)
        read[name] = set(re.findall(r"^  (\w+):", text, re.MULTILINE))
    assert known == read


@pytest.mark.parametrize("version", ["2.75.0", "2.9.1"])
def test_an_az_that_is_too_old_is_refused(tools: Any, version: str) -> None:
    run = ran(tools, [("account show", "", [HOME]), ("version", "", [version])], "before.sh", **GIVEN)
    assert (run.returncode, run.stdout) == (1, "")
    assert f"az {version} is too old, 2.76.0 or later is needed" in run.stderr


@pytest.mark.parametrize("outputs", ["null", "{}", '{"other": {"value": 1}}'])
def test_a_deployment_that_did_not_succeed_is_named(tools: Any, outputs: str) -> None:
    answers: Answers = [("account show", "", [HOME]), ("deployment sub show", "", [outputs])]
    run = ran(tools, answers, "roles.sh", **GIVEN)
    assert (run.returncode, len(run.stderr.splitlines())) == (1, 1)
    assert "has no output MESHWARD_MADE, so it has not succeeded: infra/provision.sh" in run.stderr
