"""The self-test tells what a deployment lacks, and the command that mends it."""

import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from local import scenario
from local.cloud.arm import SUBSCRIPTION
from local.cloud.event_grid.system_topics import TYPE as SYSTEM_TOPIC
from local.cloud.event_grid.topics import EventGrid
from local.cloud.resources.aks import cluster_id
from local.cloud.wire import InjectedFault, Reply
from local.cloud.world import World
from local.stage import DUTIES, RunningApp, scopes
from shared.domain.selftest import CERTIFICATE_EVENTS, CLUSTER_EVENTS, PROVIDERS
from tests.worlds import mallory
from tests.worlds.app import NO_WATCH, open_app
from tests.worlds.manifests import grant
from tests.worlds.roles import ASSIGNMENTS

# Those at what is verified beside clusters, and where vaults are made, are tried where they are needed.
LATER = ("shareAccount", "machineGroup", "scratchGroup", "backupGroup")
TRIED = [each for each in ASSIGNMENTS if each["at"] not in LATER]
EAST, NEW = "aks-east", "aks-new"
WORKS = {EAST: ["rotator"], NEW: ["rotator", "provisioner", "verifier"]}  # by the tags of the clusters


def seed(world: World) -> None:
    scenario.seed_trust(world, clusters=1)
    scenario.add_cluster(world, NEW, scenario.workloads())
    cluster = world.arm.resources[cluster_id(NEW).lower()]
    world.arm.store({**cluster, "tags": {**cluster["tags"], "meshward:protect": "true"}})
    grant(world)


@pytest.fixture
async def stage() -> AsyncIterator[RunningApp]:
    async with open_app(seed=seed, settings=NO_WATCH) as stage:
        await stage.clock.advance(timedelta(minutes=5))
        yield stage


async def report(stage: RunningApp) -> dict[str, Any]:
    await stage.clock.advance(timedelta(seconds=2))
    url, headers = f"{stage.host.url}/api/selftest", {"Authorization": f"Bearer {stage.token()}"}
    async with aiohttp.ClientSession() as http, http.post(url, headers=headers) as answer:
        assert answer.status == 202
        id = (await answer.json())["instance_id"]
    await stage.run(id, timedelta(hours=2))
    run = stage.host.instance(id)
    assert run is not None
    assert run.status == "Completed", run.failure
    found: dict[str, Any] = run.output
    return found


async def failures(stage: RunningApp) -> list[str]:
    found = await report(stage)
    lines = [finding["line"] for finding in found["findings"] if not finding["passed"]]
    assert found["passed"] is (not lines)
    return lines


async def failure(stage: RunningApp) -> tuple[str, str]:
    """The one finding that is bad: what is wrong, and the command that mends it."""
    (line,) = await failures(stage)
    what, mend = line.split("\n      ")
    return what, mend


async def test_a_complete_deployment_passes(stage: RunningApp) -> None:
    found = await report(stage)
    assert [finding["line"] for finding in found["findings"] if not finding["passed"]] == []
    asked = {finding["line"] for finding in found["findings"]}
    assert {f"ok    cluster as {duty} {cluster_id(name)}" for name, duties in WORKS.items() for duty in duties} <= asked
    assert {f"ok    providers {SUBSCRIPTION}", f"ok    key {scenario.OLD_ROOT}", "ok    clock", "ok    event"} <= asked
    assert {f"ok    cluster events {SUBSCRIPTION}", f"ok    certificate events {scenario.KEY_VAULT}"} <= asked


async def test_a_missing_role_is_named_with_its_scope_and_the_command_that_assigns_it(stage: RunningApp) -> None:
    permissions = stage.world.permissions
    complete = permissions.granted
    for each in TRIED:
        holder = stage.world.entra.named(each["identity"])
        (scope,) = scopes(stage.world)[each["at"]]
        permissions.granted = complete - {(holder.object_id, permissions.roles[each["role"]], scope)}
        lines = "\n".join(await failures(stage))
        assert f'az role assignment create --assignee {holder.client_id} --role "{each["role"]}' in lines, each
        if each["at"] == "subscription":
            assert f"--scope {scope}" in lines


@pytest.mark.parametrize("duty", DUTIES)
async def test_an_identity_that_the_app_was_not_given_is_attached(stage: RunningApp, duty: str) -> None:
    client_id = stage.world.entra.named(duty).client_id
    del stage.world.entra.principals[client_id]
    lines = [line for line in await failures(stage) if line.startswith(f"FAIL  clusters as {duty}")]
    assert "No User Assigned Managed Identity" in lines[0]
    assert "az functionapp identity assign" in lines[0]
    assert client_id in lines[0]


async def test_a_provider_that_is_not_registered_is_named_and_registered(stage: RunningApp) -> None:
    stage.world.providers.unregister(SUBSCRIPTION, PROVIDERS[0])
    what, mend = await failure(stage)
    assert f"not registered in subscription {SUBSCRIPTION}: {PROVIDERS[0]} (NotRegistered)" in what
    assert f"az provider register --subscription {SUBSCRIPTION}" in mend
    assert PROVIDERS[0] in mend


@pytest.mark.parametrize(
    ("topic", "function", "name"),
    [
        (EventGrid.SUBSCRIPTION, "on_cluster_event", CLUSTER_EVENTS),
        (scenario.KEY_VAULT_TOPIC, "on_certificate_event", CERTIFICATE_EVENTS),
    ],
)
async def test_events_that_nobody_has_subscribed_to_are_named(
    stage: RunningApp, topic: str, function: str, name: str
) -> None:
    del stage.world.event_grid.topic(topic).subscriptions[function]
    what, mend = await failure(stage)
    assert f"the event subscription meshward-{name} of" in what
    assert what.endswith("is missing")
    assert mend == "infra/after-code.sh"


async def test_a_subscription_without_a_system_topic_is_told_and_a_vault_of_another_one_is_not(
    stage: RunningApp,
) -> None:
    topics = [topic["id"] for topic in stage.world.arm.of_type(SYSTEM_TOPIC)]
    for id in topics:
        stage.world.arm.remove(id)
    what, _ = await failure(stage)
    assert what.startswith(f"FAIL  cluster events {SUBSCRIPTION}: ")
    assert what.endswith("and so is a system topic")


@pytest.mark.parametrize("skew", [-60.0, 60.0])
async def test_a_clock_that_differs_from_azure_s_is_told(stage: RunningApp, skew: float) -> None:
    stage.world.wire.clock_skew = skew
    what, mend = await failure(stage)
    assert "FAIL  clock: the app's clock reads" in what
    assert mend.startswith("az functionapp restart")


async def test_a_key_that_is_disabled_is_enabled_again(stage: RunningApp) -> None:
    version = stage.world.key_vaults.vaults[scenario.KEY_VAULT].certificate(scenario.OLD_ROOT).current
    version.key_enabled = False
    what, mend = await failure(stage)
    assert f"the key of certificate {scenario.OLD_ROOT} is disabled" in what
    assert f"az keyvault key set-attributes --vault-name {scenario.KEY_VAULT} --name {scenario.OLD_ROOT}" in mend


async def test_a_signature_that_the_certificate_does_not_verify_is_told(stage: RunningApp) -> None:
    other = Reply(body={"kid": f"{stage.world.wire.url}/keys/k/1", "value": "A" * 85 + "E"})
    stage.world.wire.inject(InjectedFault(on=r"POST .*/sign$", kind="after", reply=other))
    what, mend = await failure(stage)
    assert f"what the key of certificate {scenario.OLD_ROOT} signs, its certificate doesn't verify" in what
    assert "/api/rotations" in mend


async def test_a_certificate_that_claims_to_be_a_root_is_told_with_the_command_that_disables_it(
    stage: RunningApp,
) -> None:
    mallory.bring(stage.world, generation=2)
    what, mend = await failure(stage)
    assert what.startswith("FAIL  roots: certificate mallory is tagged as root 2 of")
    assert what.endswith("--name mallory --enabled false")
    assert mend.startswith("GET /api/plans/rotations")


async def test_a_trust_domain_without_an_admitted_root_is_told_with_the_call_that_admits_it(stage: RunningApp) -> None:
    shutil.rmtree(stage.store / "roots")
    what, _ = await failure(stage)
    assert what.startswith(f"FAIL  roots: trust domain {scenario.TRUST_DOMAIN} has no admitted root")
    assert f'POST /api/roots {{"trust_domain": "{scenario.TRUST_DOMAIN}", "fingerprint": "' in what


async def test_a_key_vault_that_cannot_be_reached_is_told(stage: RunningApp) -> None:
    stage.world.wire.inject(InjectedFault(on=r"GET /vaults/", kind="answer", times=10_000))
    lines = await failures(stage)
    assert [line.split(":")[0] for line in lines] == ["FAIL  certificates", "FAIL  roots"]
    assert lines[0].endswith("make deploy")


async def test_topics_of_other_kinds_that_a_subscription_is_the_source_of_are_not_ours(stage: RunningApp) -> None:
    source = f"/subscriptions/{SUBSCRIPTION}"
    stage.world.system_topics.add("policy", source, "Microsoft.PolicyInsights.PolicyStates")
    assert await failures(stage) == []


async def test_evidence_that_cannot_be_read_is_told(stage: RunningApp) -> None:
    (stage.evidence / "selftest").write_text("in the way of a folder")
    what = next(line for line in await failures(stage) if line.startswith("FAIL  evidence"))
    assert what.endswith("make deploy")


async def test_a_policy_document_where_older_releases_read_it_is_told(stage: RunningApp) -> None:
    stage.policy.unlink()
    (stage.store / "policy.json").write_text("{}")
    what, mend = await failure(stage)
    assert what.startswith("FAIL  policy: copy policy.json from ")
    assert mend.endswith("docs/policy.md")


async def test_a_store_that_cannot_be_written_is_told(stage: RunningApp) -> None:
    (stage.store / "selftest").write_text("in the way of a folder")
    what = next(line for line in await failures(stage) if line.startswith("FAIL  store"))
    assert "Storage Blob Data Contributor" in what


async def test_a_cluster_that_does_not_answer_is_told(stage: RunningApp) -> None:
    stage.world.aks.stop(NEW)
    lines = await failures(stage)
    assert [line.partition(":")[0] for line in lines] == [f"FAIL  cluster as {d} {cluster_id(NEW)}" for d in WORKS[NEW]]
    assert all(line.endswith(f"az aks start --ids '{cluster_id(NEW)}'") for line in lines)


async def test_a_tag_that_cannot_be_read_is_told(stage: RunningApp) -> None:
    stage.world.arm.resources[cluster_id(NEW).lower()]["tags"]["meshward:protect"] = "yes"
    what, mend = await failure(stage)
    assert what.startswith(f"FAIL  tags {cluster_id(NEW)}: tag meshward:protect of cluster {NEW} is 'yes'")
    assert mend.startswith("az tag update --operation merge")


async def test_a_cluster_that_runs_and_cannot_be_reached_is_told(stage: RunningApp) -> None:
    stage.world.wire.inject(InjectedFault(on=f"/k8s/{EAST}/", kind="lose", times=99))
    what, mend = await failure(stage)
    assert what.startswith(f"FAIL  cluster as rotator {cluster_id(EAST)}: ")
    assert mend.startswith(f"az aks show --ids '{cluster_id(EAST)}' --query apiServerAccessProfile")


async def test_a_cluster_without_our_roles_names_what_each_duty_lacks(stage: RunningApp) -> None:
    cluster = stage.world.kubernetes.clusters[NEW]
    for kind in ("ClusterRoleBinding", "RoleBinding"):
        for binding in list(cluster.objects(kind)):
            cluster.delete(kind, binding["metadata"].get("namespace", ""), binding["metadata"]["name"])
    lines = await failures(stage)
    lacking = dict(zip(WORKS[NEW], lines, strict=True))
    assert "patch deployments.apps" in lacking["rotator"]
    assert "patch serviceaccounts meshward-backup/backup" in lacking["provisioner"]
    assert "create networkpolicies.networking.k8s.io" in lacking["verifier"]
    assert all("kubectl kustomize infra/cluster/linkerd" in line for line in lines)


async def test_an_event_that_does_not_come_back_is_told(stage: RunningApp) -> None:
    stage.world.event_grid.topic(scenario.TOPIC).subscriptions.clear()
    what, mend = await failure(stage)
    assert "the app didn't receive it" in what
    assert mend == "infra/after-code.sh"
