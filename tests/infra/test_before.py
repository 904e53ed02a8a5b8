"""What is asked of Azure before the first template, and told to it."""

from typing import Any

from tests.worlds.rollout_scripts import HOME, OTHER, ran

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
