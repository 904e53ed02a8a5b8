"""The evidence is locked when somebody says so, in words that tell what that means, and never by a removal."""

from typing import Any

import msgspec
import pytest

from tests.worlds.rollout_scripts import GROUP, HOME, MADE, OURS, at_home, note_calls, ran, there

ACCOUNT = "stmeshwardabc123s"
POLICY = "storage container immutability-policy"
LISTED, FOUND = (
    ("storage account list", "", [f"{GROUP.upper()}\t{ACCOUNT}", f"rg-other\t{ACCOUNT}", f"{GROUP}\tstlogs"]),
    "container-rm exists",
)
EVIDENCE = [LISTED, (f"storage {FOUND}", ACCOUNT, ["true"])]


@pytest.fixture(autouse=True)
def noting(tools: Any) -> None:
    note_calls(tools)


def after_code(tools: Any, **environ: str) -> str:
    """What the last step of a rollout says, where the evidence isn't locked."""
    given = {"AZURE_LOCATION": "westeurope", "AZURE_RESOURCE_GROUP": GROUP, "FUNCTION_APP": f"func-{OURS}"}
    answers = [*there(), *EVIDENCE, (f"{POLICY} show", "", ["Unlocked"])]
    told = {"MESHWARD_MADE": msgspec.json.encode(MADE).decode(), "MESHWARD_TOPIC_PRINCIPALS": "[]"}
    run = ran(tools, answers, "after-code.sh", **given, **told, **environ)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_whoever_locks_the_evidence_reads_what_that_means_and_what_is_not_locked(tools: Any) -> None:
    told = after_code(tools, LOCK="yes")
    assert f"The evidence of {GROUP} is locked: its retention can only be extended." in told
    assert "All else is in the ledger, which isn't locked and can be changed." in told
    assert f"{POLICY} lock" in (tools / "asked").read_text()


def test_a_stopped_app_is_named_at_once_as_its_functions_would_never_be_listed(tools: Any) -> None:
    given = {"AZURE_LOCATION": "westeurope", "AZURE_RESOURCE_GROUP": GROUP, "FUNCTION_APP": f"func-{OURS}"}
    answers = [("functionapp show", "", ["/app\tStopped"]), *there()]
    run = ran(tools, answers, "after-code.sh", **given)
    assert (run.returncode, run.stdout) == (1, "")
    assert f"az functionapp start -g {GROUP} -n func-{OURS}" in run.stderr


def removed(tools: Any, state: str) -> list[str]:
    """What was asked of `az` once somebody removes an installation whose evidence is so."""
    answers = [*at_home(), *EVIDENCE, (f"{POLICY} show", "", [state])]
    answers.append(("group list", HOME, [GROUP]))
    ran(tools, answers, "remove.sh", "--yes", MESHWARD_SUBSCRIPTION_IDS=HOME)
    asked: list[str] = (tools / "asked").read_text().splitlines()
    return [each for each in asked if each.startswith(("group delete", f"{POLICY} delete"))]


def test_a_removal_deletes_a_policy_that_is_not_locked_before_its_group(tools: Any) -> None:
    policy, group = removed(tools, "Unlocked")
    assert f"--account-name {ACCOUNT} --container-name evidence --if-match" in policy
    assert group.startswith("group delete")


def test_a_removal_leaves_a_locked_policy_alone(tools: Any) -> None:
    assert [each for each in removed(tools, "Locked") if each.startswith(POLICY)] == []


@pytest.mark.parametrize("said", [{}, {"LOCK": "no"}])
def test_nothing_is_locked_unless_somebody_says_yes(tools: Any, said: dict[str, str]) -> None:
    assert "locked" not in after_code(tools, **said)
    assert f"{POLICY} lock" not in (tools / "asked").read_text()


@pytest.mark.parametrize("there", ["true", "false"])
def test_a_rollout_that_was_interrupted_before_the_evidence_can_be_repeated(tools: Any, there: str) -> None:
    answers = [("account show", "", [HOME]), LISTED, (f"storage {FOUND}", "", [there]), (POLICY, "", ["Locked"])]
    run = ran(tools, answers, "evidence.sh", "state", AZURE_RESOURCE_GROUP=GROUP)
    assert (run.stdout, run.stderr) == ("Locked\n" if there == "true" else "Unlocked\n", "")
    assert (POLICY in (tools / "asked").read_text()) == (there == "true")
