"""What a backup of a cluster was told to hold."""

import pytest

from shared.domain.restores.filters import EVERYTHING, BackupFilter
from shared.domain.restores.manifest import COMPARED

NAMES = ["Deployment", "deployments", "deployments.apps", "apps/v1/Deployment", "DEPLOY", " deploy ", "*"]
OTHERS = ["v1/Deployment", "deployments.kruise.io", "kruise.io/v1/Deployment", "deploymentsets", "ConfigMap", "", "/"]


@pytest.mark.parametrize("kind", COMPARED)
def test_without_a_filter_everything_is_held(kind: str) -> None:
    assert EVERYTHING.holds(kind, {})


@pytest.mark.parametrize("name", NAMES)
def test_a_kind_is_told_in_each_of_its_names(name: str) -> None:
    assert BackupFilter(included=("Secret", name)).holds("Deployment", {})
    assert not BackupFilter(excluded=(name,)).holds("Deployment", {})


@pytest.mark.parametrize("name", OTHERS)
def test_what_names_another_kind_says_nothing_of_this_one(name: str) -> None:
    assert not BackupFilter(included=(name,)).holds("Deployment", {})
    assert BackupFilter(excluded=(name,)).holds("Deployment", {})


@pytest.mark.parametrize("name", ["v1/ConfigMap", "configmaps", "cm", "ConfigMap"])
def test_a_kind_without_a_group_is_told_by_its_version(name: str) -> None:
    assert BackupFilter(included=(name,)).holds("ConfigMap", {})


def test_a_kind_that_is_both_included_and_excluded_isn_t_held() -> None:
    assert not BackupFilter(included=("cm",), excluded=("v1/ConfigMap",)).holds("ConfigMap", {})


@pytest.mark.parametrize(
    ("selectors", "held"),
    [
        (("app=web",), True),
        (("app==web",), True),
        (("app = web, tier=front",), True),
        (("app=web", "tier=front"), True),
        (("app=web", "tier=back"), False),
        (("app!=db",), False),
        (("app in (web, db)",), False),
        (("app",), False),
        (("",), False),
    ],
)
def test_only_what_each_selector_matches_for_certain_is_due(selectors: tuple[str, ...], held: bool) -> None:
    assert BackupFilter(labels=selectors).holds("Deployment", {"app": "web", "tier": "front"}) is held
