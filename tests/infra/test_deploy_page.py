"""docs/deploy.md says what the scripts, the workflow and azure.yaml ask for."""

import re

import msgspec
import yaml  # type: ignore[import-untyped]

from local.stage import APP, INFRA
from shared.settings import Settings

PAGE = (APP / "docs" / "deploy.md").read_text()
WORKFLOW = (APP / ".github" / "workflows" / "deploy.yml").read_text()


def test_both_environments_of_the_workflow_are_trusted_by_a_subject_of_their_own() -> None:
    environments = {job["environment"] for job in yaml.safe_load(WORKFLOW)["jobs"].values() if "environment" in job}
    assert environments == {"preview", "production"}
    asked = "gh api repos/<owner>/<repository>/actions/oidc/customization/sub --jq .sub_claim_prefix"
    assert f'trusted="$({asked})"' in PAGE
    assert '--subject "$trusted:environment:$each"' in PAGE  # since July 2026 not the name alone
    loops = re.findall(r"^for each in (.*); do\n((?:  .*\n)+)done", PAGE, re.MULTILINE)
    assert [set(each.split()) for each, body in loops if "environment:$each" in body] == [environments]


def test_each_variable_that_the_workflow_reads_is_set_on_the_page() -> None:
    assert set(re.findall(r"vars\.(\w+)", WORKFLOW)) <= set(re.findall(r"gh variable set (\w+)", PAGE))


def test_the_page_names_the_versions_that_are_asked_for() -> None:
    azd = yaml.safe_load((APP / "azure.yaml").read_text())["requiredVersions"]["azd"]
    assert f"{azd.removeprefix('>= ')} or later" in PAGE
    (bicep,) = set(re.findall(r"\d+\.\d+\.\d+(?= or later is needed)", (INFRA / "before.sh").read_text()))
    assert f"Bicep | {bicep} or later" in PAGE
    (az,) = re.findall(r"^azure-cli==(.*)$", (APP / "tests" / "azure" / "az.txt").read_text(), re.MULTILINE)
    assert f"tried with {az}" in PAGE


def test_the_page_names_each_host_that_the_app_asks_by_default() -> None:
    defaults = [field.default for field in msgspec.structs.fields(Settings) if not field.required]
    hosts = [value.removeprefix("https://") for value in defaults if str(value).startswith("https://")]
    assert len(hosts) >= 3
    assert [host for host in hosts if host.replace("{account}", "<account>") not in PAGE] == []


def test_no_page_replaces_the_tags_of_a_cluster() -> None:
    pages = [*APP.glob("*.md"), *(APP / "docs").rglob("*.md")]
    assert [page.name for page in pages if re.search(r"az aks update\b.*--tags", page.read_text())] == []
    assert "az tag update --operation merge" in PAGE


def test_each_script_on_the_page_is_there() -> None:
    assert [path for path in re.findall(r"`(infra/\w[\w-]*\.sh)", PAGE) if not (APP / path).is_file()] == []


def test_a_team_that_assigns_roles_comes_between_resources_and_code() -> None:
    page = (APP / "docs" / "parameters.md").read_text()
    steps = ("no infra/provision.sh", "\ninfra/roles.sh", "no make deploy")
    assert [page.count(step) for step in steps] == [1, 1, 1]
    assert sorted(steps, key=page.index) == list(steps)
