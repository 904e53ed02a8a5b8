"""What Bicep deploys fits what the app reads, logs and exports."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from local.cloud.clock import Clock
from local.cloud.world import World
from local.docs_signals import asked, fields_of, known
from local.stage import monitored
from shared.adapters.azure.telemetry import METRICS, Metric
from shared.domain.selftest import CERTIFICATE_EVENTS, CLUSTER_EVENTS, PROVIDERS
from shared.domain.vaults import roles
from shared.domain.vaults.sources import KINDS
from shared.settings import Settings
from tests.worlds.deployments import HOME, deployed, subscribed
from tests.worlds.functions import registered_functions

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
CHECKER = ROOT.parent / "shared" / "tools" / "bicep" / "bicep_check.py"


def bicep() -> str:
    return "\n".join(file.read_text() for file in sorted(INFRA.rglob("*.bicep")))


def app_settings() -> dict[str, str]:
    """The environment that the app is deployed with."""
    (app,) = (resource for resource in deployed().resources if resource.type == "Microsoft.Web/sites")
    assert app.body
    return {each["name"]: each["value"] for each in app.body["properties"]["siteConfig"]["appSettings"]}


def data(name: str) -> Any:
    return json.loads((INFRA / name).read_text())


def queries() -> Iterator[str]:
    for entry in [*data("alerts.json"), *data("workbook.json")]:
        yield entry["query"]


def test_the_checker_finds_nothing() -> None:
    if not CHECKER.is_file():
        pytest.skip("the Bicep checker isn't beside the repository; the workflow runs the compiler instead")
    checked = subprocess.run([sys.executable, CHECKER, INFRA, "--strict"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_the_table_of_contents_stays_one() -> None:
    assert len((INFRA / "main.bicep").read_text().splitlines()) <= 190


def test_bicep_sets_each_setting_that_the_app_needs_and_none_that_it_does_not_know() -> None:
    assert Settings.from_env(app_settings()).subscriptions == [HOME]
    given = {name for name in app_settings() if name.startswith("MESHWARD_")}
    assert given <= {f"MESHWARD_{field.name.upper()}" for field in msgspec.structs.fields(Settings)}


def test_no_key_and_no_setting_that_flex_consumption_refuses_is_set() -> None:
    assert not re.search(r"listKeys|listSecrets|AccountKey|SharedAccessSignature", bicep())
    assert not re.search(r"FUNCTIONS_WORKER_RUNTIME|FUNCTIONS_EXTENSION_VERSION|WEBSITE_|SCM_DO_BUILD", bicep())


def test_queries_look_for_messages_that_the_app_logs_with_the_fields_it_gives_them() -> None:
    logged, counted = known(), {metric.name: {*metric.by} for metric in METRICS}
    for query in queries():
        fields = set(re.findall(r"customDimensions\.(\w+)", query))
        if query.startswith("customMetrics"):
            (name,) = re.findall(r"name == '([^']+)'", query)
            assert fields <= counted[name], query
            continue
        assert asked(query) or query.startswith("union requests"), query
        assert asked(query) <= logged.keys(), query
        assert fields <= {name for message in asked(query) for name in fields_of(logged[message])}, query


def test_queries_compute_with_fields_that_are_numbers() -> None:
    for query in queries():
        for name in re.findall(r"toint\(customDimensions\.(\w+)\)", query):
            assert {fields_of(known()[message])[name] for message in asked(query)} == {"number"}, query


def test_what_callers_do_wrong_is_no_failed_invocation_whether_the_host_sends_requests_or_dependencies() -> None:
    (query,) = [query for query in queries() if query.startswith("union requests")]
    assert query.startswith("union requests, dependencies | where success == false and resultCode !startswith '4' |")
    assert query.endswith("| where itemType == 'request' or type == 'InProc'")  # no call that the app makes to others


def test_no_script_sets_the_update_strategy_which_older_releases_of_az_do_not_know() -> None:
    scripts = [*INFRA.rglob("*.sh"), INFRA.parent / "azure.yaml", *(INFRA.parent / ".github").rglob("*.yml")]
    assert len(scripts) > 20
    assert [str(script) for script in scripts if "update-strategy" in script.read_text()] == []


def test_each_event_subscription_leads_to_a_trigger() -> None:
    kinds = {str(each.get_function_name()): each.get_trigger() for each in registered_functions()}
    triggers = [name for name, trigger in kinds.items() if trigger and trigger.type == "eventGridTrigger"]
    assert sorted(s["function"] for s in data("subscriptions.json")["subscriptions"]) == sorted(triggers)


def test_the_roles_that_the_provisioner_may_assign_are_those_that_it_assigns() -> None:
    assigned = {roles.READER, roles.CONTRIBUTOR, roles.DISK_SNAPSHOT_CONTRIBUTOR}
    assigned |= {roles.BLOB_DATA_CONTRIBUTOR, roles.BLOB_DATA_READER}
    assigned |= {role for kind in KINDS for role in kind.roles}
    assert set(data("roles.json")["grantable"].values()) == assigned


def test_each_role_of_the_table_is_assigned_and_no_other() -> None:
    table = data("roles.json")
    used = {assignment["role"] for assignment in table["assignments"]}
    assert used == {*table["custom"], *table["builtIn"]}


def test_the_rollout_registers_each_provider_that_the_self_test_asks_for() -> None:
    (fleet,) = re.findall(r'^of_fleet="([\w\s]+)"', (INFRA / "providers.sh").read_text(), re.MULTILINE)
    assert {f"Microsoft.{name}" for name in fleet.split()} == {*PROVIDERS, "Microsoft.Insights"}  # alerts beside topics
    assert "infra/providers.sh" in (INFRA / "before.sh").read_text()
    for rollout in ("infra/provision.sh", "azure.yaml"):
        assert "infra/before.sh" in (ROOT / rollout).read_text()


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_is_made_of_fields_of_its_signal(metric: Metric) -> None:
    used: set[str] = set(metric.by)
    metric.value(Noting(used))
    assert used <= fields_of(metric.signal).keys()


def test_bicep_sets_the_settings_by_which_telemetry_is_sent_in_tests() -> None:
    world = World(Clock(0.0))
    told = {name for name in monitored(world) if not name.startswith("OTEL_")}  # those only hasten it
    assert told == {name for name in app_settings() if name.startswith(("APPLICATIONINSIGHTS_", "PYTHON_"))}


class Noting(dict[str, int]):
    """Fields that note which of them are asked for."""

    def __init__(self, asked: set[str]) -> None:
        self._asked = asked

    def __getitem__(self, name: str) -> int:
        self._asked.add(name)
        return 1


def test_the_self_test_looks_for_the_event_subscriptions_that_bicep_makes() -> None:
    system = "Microsoft.EventGrid/systemTopics/eventSubscriptions"
    made = {resource.name.rpartition("/")[2] for resource in subscribed().resources if resource.type == system}
    installation = Settings.from_env(app_settings()).installation
    assert made == {f"{installation}-{events}" for events in (CLUSTER_EVENTS, CERTIFICATE_EVENTS)}


def test_the_graph_module_knows_the_roles_that_the_script_makes() -> None:
    named = re.findall(r"role: (.+)", (INFRA / "graph" / "types.bicep").read_text())
    assert named == [" | ".join(f"'{role['value']}'" for role in data("app-roles.json"))]
