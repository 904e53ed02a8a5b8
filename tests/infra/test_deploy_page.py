"""docs/deploy.md says what the scripts, the workflow and azure.yaml ask for."""

import re
from typing import Any

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


def test_only_main_deploys_and_what_nobody_agreed_to_only_reads() -> None:
    """A branch can change the workflow, and run it in any environment that takes the branch."""
    section = PAGE.partition("## From GitHub")[2].partition("## What is deployed")[0]
    assert section.count("{$main") == 2
    assert 'gh api --method POST "$here/$each/deployment-branch-policies" --field name=main' in section
    assert re.findall(r'^assign (\w+) "?([\w ]+)', section, re.MULTILINE) == [
        ("preview", "Meshward preview"),
        ("production", "Owner"),
    ]
    (role,) = re.findall(r"--role-definition '(.*?)'", section, re.DOTALL)
    actions = msgspec.json.decode(role, type=dict[str, Any])["Actions"]
    assert [each for each in actions if not each.endswith(("/read", "/validate/action", "/whatIf/action"))] == []
    jobs = yaml.safe_load(WORKFLOW)["jobs"].values()
    assert [each for each in jobs if "id-token" in each.get("permissions", {}) and "environment" not in each] == []


def test_a_release_is_checked_by_the_workflow_and_the_tag_that_it_was_built_by() -> None:
    page = (APP / "CONTRIBUTING.md").read_text()
    (command,) = re.findall(r"^gh attestation verify (?:.*\\\n)*.*", page, re.MULTILINE)
    assert "--signer-workflow <owner>/<repository>/.github/workflows/release.yml" in command
    assert "--source-ref refs/tags/v<version>" in command


def test_each_variable_that_the_workflow_reads_is_set_on_the_page() -> None:
    assert set(re.findall(r"vars\.(\w+)", WORKFLOW)) <= set(re.findall(r"gh variable set (\w+)", PAGE))


def test_the_page_names_the_versions_that_are_asked_for() -> None:
    azd = yaml.safe_load((APP / "azure.yaml").read_text())["requiredVersions"]["azd"]
    assert f"{azd.removeprefix('>= ')} or later" in PAGE
    (bicep,) = re.findall(r"at_least (\S+) .*az bicep upgrade", (INFRA / "before.sh").read_text())
    assert f"Bicep | {bicep} or later" in PAGE
    (az,) = re.findall(r"^azure-cli==(.*)$", (APP / "tests" / "azure" / "az.txt").read_text(), re.MULTILINE)
    assert f"tried with {az}" in PAGE
    (oldest,) = re.findall(r"at_least (\S+) .*az upgrade", (INFRA / "before.sh").read_text())
    assert f"| `az` | {oldest} or later" in PAGE


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


def test_a_released_package_is_the_one_that_was_built_before_unpinned_tools_were_installed() -> None:
    """Tools of developers have versions and no hashes: what they are is up to the index."""
    jobs = yaml.safe_load((APP / ".github" / "workflows" / "release.yml").read_text())["jobs"]
    runs = [step["run"] for step in jobs["build"]["steps"] if "run" in step]
    assert runs[0].startswith("infra/package.sh\n")
    assert jobs["build"]["outputs"]["package"] == "${{ steps.package.outputs.sha256 }}"
    (checked,) = [step for step in jobs["publish"]["steps"] if "PACKAGE" in step.get("env", {})]
    assert checked["env"]["PACKAGE"] == "${{ needs.build.outputs.package }}"
    assert 'echo "$PACKAGE  meshward-${GITHUB_REF_NAME#v}.zip" | sha256sum --check --strict' in checked["run"]
