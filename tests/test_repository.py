"""What the project promises those who build, release and join it: workflows, pins, hooks and the version agree."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

import shared

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text()
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
MANIFESTS = {"go.mod": "gomod", "package.json": "npm", "Cargo.toml": "cargo"}


WRITES = {
    "codeql": {"analyze": {"security-events"}},
    "deploy": {"what-if": {"id-token"}, "deploy": {"id-token"}},
    "release": {"publish": {"attestations", "contents", "id-token"}},
}
STARTS = {"pull_request", "push", "schedule", "workflow_call", "workflow_dispatch"}  # none with rights for a stranger
SAYS = re.compile(r"(vars|matrix|steps|needs)\.[\w.-]+|github\.(token|repository)|hashFiles\(['\w/*., ]+\)")


def named(file: Path) -> str:
    return file.stem


def jobs(workflow: Path) -> dict[str, Any]:
    """The jobs by name."""
    return dict(yaml.safe_load(workflow.read_text())["jobs"])


def writing(job: dict[str, Any]) -> set[str]:
    """What a job may write."""
    return {scope for scope, level in job.get("permissions", {}).items() if level != "read"}


def steps(workflow: Path) -> Iterator[dict[str, Any]]:
    """The steps of all jobs."""
    for job in jobs(workflow).values():
        yield from job.get("steps", [])


def commands(workflow: Path) -> list[str]:
    """What the steps run."""
    return [step["run"] for step in steps(workflow) if "run" in step]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=named)
def test_every_action_of_a_workflow_is_pinned_by_commit_and_says_its_version(workflow: Path) -> None:
    used = re.findall(r"uses: (.+)", workflow.read_text())
    assert used
    pinned = r"[\w-]+/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\./\.github/workflows/\w+\.yml"
    assert [action for action in used if not re.fullmatch(pinned, action)] == []


def test_an_action_is_the_same_commit_wherever_it_is_used() -> None:
    used = {pin for file in WORKFLOWS for pin in re.findall(r"uses: ([\w/-]+)@(.+)", file.read_text())}
    assert len({action for action, _ in used}) == len(used)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=named)
def test_a_workflow_may_only_read_and_its_jobs_write_only_what_is_listed(workflow: Path) -> None:
    assert yaml.safe_load(workflow.read_text())["permissions"] == {"contents": "read"}
    found = {name: writing(job) for name, job in jobs(workflow).items() if writing(job)}
    assert found == WRITES.get(workflow.stem, {})


def test_a_job_that_may_publish_runs_no_code_of_the_repository() -> None:
    publishing = [job for file in WORKFLOWS for job in jobs(file).values() if "contents" in writing(job)]
    assert len(publishing) == 1
    for job in publishing:
        assert not [step for step in job["steps"] if "checkout" in step.get("uses", "")]
        assert not re.search(r"\b(make|pip|npm|python3?)\b", "\n".join(step.get("run", "") for step in job["steps"]))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=named)
def test_no_token_is_left_where_code_of_others_runs(workflow: Path) -> None:
    checkouts = [step for step in steps(workflow) if "actions/checkout@" in step.get("uses", "")]
    assert checkouts
    assert [step for step in checkouts if step.get("with", {}).get("persist-credentials") is not False] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=named)
def test_no_workflow_uses_texts_of_events_or_secrets(workflow: Path) -> None:
    text = workflow.read_text()
    assert set(yaml.safe_load(text)[True]) <= STARTS  # YAML's "on"
    assert [command for command in commands(workflow) if "${{" in command] == []
    assert [said for said in re.findall(r"\$\{\{(.*?)\}\}", text) if not SAYS.fullmatch(said.strip())] == []
    assert not re.search(r"\bsecrets: ", text)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=named)
def test_everything_that_a_workflow_calls_exists(workflow: Path) -> None:
    ran = "\n".join(commands(workflow))
    targets = re.findall(r"^([a-z-]+):", MAKEFILE, re.M)
    assert set(re.findall(r"\bmake ([a-z-]+)", ran)) <= set(targets)
    called = re.findall(r"uses: \./(\S+)", workflow.read_text()) + re.findall(r"\binfra/[\w./]+\.sh\b", ran)
    assert [file for file in called if not (ROOT / file).exists()] == []


def test_every_change_and_every_release_passes_all_tests() -> None:
    tests, release = (ROOT / ".github" / "workflows" / f"{name}.yml" for name in ("test", "release"))
    assert {"make test", "make test-real", "make test-azure"} <= set(commands(tests))
    released = jobs(release)
    assert released["test"]["uses"].endswith("test.yml")
    assert (released["build"]["needs"], released["publish"]["needs"]) == ("test", "build")


def test_the_hook_before_a_commit_runs_what_make_check_runs() -> None:
    hooks = [
        hook
        for repo in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
        for hook in repo["hooks"]
    ]
    assert [(hook["entry"], hook["always_run"], hook["pass_filenames"]) for hook in hooks] == [
        ("make check", True, False)
    ]


def test_newer_versions_are_proposed_for_every_pin() -> None:
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
    watched = {(u["package-ecosystem"], place) for u in updates for place in u.get("directories", [u.get("directory")])}
    found = {(MANIFESTS[f.name], f.parent) for name in MANIFESTS for f in (ROOT / "tests").rglob(name)}
    pinned = {file.parent for place in ("", "infra", "tests/azure") for file in (ROOT / place).glob("*.txt")}
    pins = {*found, *(("pip", folder) for folder in pinned), ("github-actions", ROOT)}
    assert watched == {(kind, f"/{folder.relative_to(ROOT)}".replace("/.", "/")) for kind, folder in pins}


def test_code_project_and_changelog_state_the_same_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    releases = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - 20\d\d-\d\d-\d\d$", CHANGELOG, re.M)
    assert shared.__version__ == project["version"] == releases[0]


def test_the_task_hub_has_one_name_and_the_changelog_says_that_it_is_new() -> None:
    hub = json.loads((ROOT / "host.json").read_text())["extensions"]["durableTask"]["hubName"]
    assert f"name: '{hub}'" in (ROOT / "infra" / "modules" / "scheduler.bicep").read_text()
    assert f"task hub is `{hub}`" in CHANGELOG


def test_the_package_contains_the_licence() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert re.search(r"^cp -R .* LICENSE ", (ROOT / "infra" / "package.sh").read_text(), re.M)


def test_no_source_outside_of_tests_is_longer_than_three_hundred_lines() -> None:
    files = [file for tree in ("functions", "shared", "local", "infra") for file in (ROOT / tree).rglob("*")]
    sources = [file for file in files if file.suffix in (".py", ".bicep", ".sh")]
    assert len(sources) > 250
    assert [str(file) for file in sources if len(file.read_text().splitlines()) > 300] == []


def test_a_rollout_from_github_gets_the_settings_of_one_by_hand() -> None:
    read = {
        name
        for file in ("main", "roles", "events")
        for name in re.findall(r"readEnvironmentVariable\('(\w+)'", (ROOT / "infra" / f"{file}.bicepparam").read_text())
    }
    asked = {"MESHWARD_MADE", "MESHWARD_TOPIC_PRINCIPALS", "MESHWARD_SYSTEM_TOPICS"}  # by the scripts, of Azure
    asked |= {"MESHWARD_EVIDENCE_STATE", "MESHWARD_VAULT_STATE", "MESHWARD_BACKUP_GROUPS"}
    given = yaml.safe_load((ROOT / ".github" / "workflows" / "deploy.yml").read_text())["env"]
    assert read - asked <= given.keys()
    assert all(value == f"${{{{ vars.{name} }}}}" for name, value in given.items())


def test_what_may_log_in_or_sign_builds_nothing_and_takes_what_was_built_by_its_hash() -> None:
    for workflow in WORKFLOWS:
        for job in jobs(workflow).values():
            if "id-token" not in writing(job):
                continue
            runs = "\n".join(step.get("run", "") for step in job["steps"])
            assert not re.search(r"\b(make|pip|npm|package\.sh|vendor\.sh|release\.sh)\b", runs), runs
            if any("download-artifact" in step.get("uses", "") for step in job["steps"]):
                assert 'echo "$SHA256 ' in runs
                assert "sha256sum --check --strict" in runs


def test_what_is_deployed_is_installed_by_its_hash() -> None:
    assert "--require-hashes --no-deps" in (ROOT / "infra" / "vendor.sh").read_text()
    lines = (ROOT / "infra" / "vendored.txt").read_text().splitlines()[1:]
    hashed = [re.fullmatch(r"([\w.-]+==\S+) --hash=sha256:[0-9a-f]{64}", line) for line in lines]
    assert all(hashed)
    constraints, needed = pins("constraints.txt"), pins("requirements.txt")
    found = pins("infra/vendored.txt")
    assert needed.items() <= found.items() <= constraints.items(), "run infra/lock.sh"


def pins(file: str) -> dict[str, str]:
    return {
        _plain(n): v for n, v in re.findall(r"^([\w.-]+)(?:\[.*\])?==(\S+)", (ROOT / file).read_text(), re.MULTILINE)
    }


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
