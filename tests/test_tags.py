"""No page, script or message sets a tag by a command that removes all others, those of a mesh included."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SPOKEN = (".md", ".sh", ".py", ".yml", ".yaml", ".bicep", ".json")
FOLDERS = ("docs", "infra", "functions", "shared", "local", ".github")
_BROKEN = re.compile(r'\\\n\s*|"\s*\n\s*f?"')  # a command over several lines: of a shell, of Python's strings
_REPLACES = re.compile(
    r"az tag create|az tag update(?! --operation merge)"
    r"|az resource tag(?!.*(?:-i\b|--is-incremental))"
    r"|az (?!tag update)[\w -]*(?:create|update)\b.*(?:--tags|--set tags=)"
    r"|(?:New-AzTag|Set-AzResource\b.* -Tag)"
)


def replacing(text: str) -> list[str]:
    """The commands in a text that replace all tags of something."""
    return [found[0] for line in _BROKEN.sub("", text).splitlines() for found in _REPLACES.finditer(line)]


def spoken() -> Iterator[Path]:
    yield from ROOT.glob("*.md")
    for folder in FOLDERS:
        yield from (file for file in (ROOT / folder).rglob("*") if file.suffix in SPOKEN)


def test_docs_scripts_and_messages_add_tags_and_keep_the_others() -> None:
    files = [*spoken()]
    assert len(files) > 200
    assert {str(file.relative_to(ROOT)): found for file in files if (found := replacing(file.read_text()))} == {}


def test_the_docs_say_how_tags_are_added() -> None:
    for page in ("clusters.md", "deploy.md"):
        assert "az tag update --operation merge --resource-id" in (ROOT / "docs" / page).read_text()


@pytest.mark.parametrize(
    "command",
    [
        "Tag it: `az aks update --resource-group <group> --name <name> --tags meshward:protect=true`.",
        "az aks update -g $GROUP -n $CLUSTER \\\n    --tags meshward:protect=true",
        'say(f"az aks update -g {group} "\n    f"-n {name} --tags meshward:protect=true")',
        "az group update --name x --set tags=",
        "az tag create --resource-id $ID --tags a=b",
        "az tag update --resource-id $ID --operation replace --tags a=b",
        "az resource tag --ids $ID --tags a=b",
    ],
)
def test_a_command_that_replaces_all_tags_is_found(command: str) -> None:
    assert replacing(command)


@pytest.mark.parametrize(
    "command",
    [
        "az tag update --operation merge --resource-id $ID --tags \\\n    meshward:mesh=linkerd",
        "az aks update -g $GROUP -n $CLUSTER --enable-aad",
        "az resource tag --is-incremental --ids $ID --tags a=b",
    ],
)
def test_a_command_that_keeps_the_other_tags_passes(command: str) -> None:
    assert not replacing(command)
