"""Whatever strangers write wherever they may write, nobody is contacted who isn't listed, and nothing breaks.

Random and hostile texts stand in tags of clusters, accounts and certificates, in names and annotations of namespaces
and pods, in a kubeconfig, in rows of the store, in the policy document, in events and in calls, all at once. Then the
app's timers run.
"""

import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import aiohttp
import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from functions import routes
from local import scenario
from local.cloud.arm import SUBSCRIPTION
from local.cloud.wire import InjectedFault, Reply
from local.cloud.world import TENANT, World
from local.scenario import KEY_VAULT, TRUST_DOMAIN
from local.stage import RunningApp
from tests.worlds import mallory
from tests.worlds.app import open_app
from tests.worlds.ids import HOSTILE, ids, mangled
from tests.worlds.small_mesh import MESHED
from tests.worlds.strangers import BY_TAG
from tests.worlds.times import HOUR, MINUTE

LONGEST_LINE = 6_000
WILD, LISTED = "aks-wild", ("aks-east", "aks-west")
SERVED = {"vaults", "certificates", "keys", "files", "topics", TENANT, "msi"}  # key vault, shares, topic and Entra
NOT_OURS = ("the worker died; starting another", "step broken")
EVENTS = ("on_cluster_event", "on_certificate_event", "on_backup_completed", "on_selftest_event")
ROWS = ("roots/linkerd-x/0001/a.json", "roots/linkerd-x/0002/key", "members/rotate-x.json", "leases/x.json")

texts = st.lists(
    st.text(max_size=60)
    | ids()
    | mangled
    | st.sampled_from([*sorted(HOSTILE.values()), "../x/y", "rg#y/x", "rg?a=b/x"]),
    min_size=20,
    max_size=20,
)


def seed(world: World) -> None:
    """A trust domain of two clusters, three others that claim things, and a share."""
    scenario.seed_trust(world, len(LISTED))
    world.file_shares.create("stcontoso", "orders")
    for number, domain in enumerate((TRUST_DOMAIN, "x", "")):
        tags = {**MESHED, "meshward:trust-domain": domain, "meshward:protect": "true"}
        world.aks.add(f"{WILD}-{number}", tags=tags)


@pytest.fixture
async def stage() -> AsyncIterator[RunningApp]:
    async with open_app(seed=seed, judged=False) as stage:
        await stage.clock.advance(MINUTE)
        yield stage


def write_everywhere(stage: RunningApp, said: Iterator[str]) -> None:
    """What strangers write into Azure, clusters and the store."""
    world = stage.world
    for cluster in world.arm.of_type("Microsoft.ContainerService/managedClusters"):
        listed = cluster["name"] in LISTED
        names = ("files", "machines", "link-name", "protect", next(said)[:40])
        added = {f"meshward:{name}": next(said) for name in (names if listed else (*names, "trust-domain"))}
        cluster["tags"] = {**cluster["tags"], **added}
    for number in range(3):
        with suppress(Exception):  # what the simulated vault refuses, the real one does too
            mallory.bring(world, f"wild-{number}")
        tags = {"meshward:mesh": "linkerd", "meshward:trust-domain": next(said), "meshward:generation": next(said)}
        world.key_vaults.vaults[KEY_VAULT].certificate(f"wild-{number}").current.tags = tags
    world.file_shares.account("stcontoso")["tags"] = {"meshward:cluster": next(said), "meshward:allow": next(said)}
    for name in ("one", "two"):
        metadata = {"name": name, "annotations": {"linkerd.io/inject": next(said)}, "labels": {"a": next(said)}}
        env = [{"name": "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS", "value": next(said)}]
        spec = {"containers": [{"name": "linkerd-proxy", "image": next(said), "env": env}]}
        server = world.kubernetes.clusters[LISTED[0]]
        server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        server.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {**metadata, "namespace": name}, "spec": spec})
    text = f"clusters:\n- cluster: {{certificate-authority-data: '', server: {json.dumps(next(said))}}}\n"
    body = {"kubeconfigs": [{"name": "u", "value": base64.b64encode(text.encode(errors="replace")).decode()}]}
    world.wire.inject(InjectedFault(on=f"{LISTED[1]}/listCluster", kind="answer", times=999, reply=Reply(body=body)))
    for row in ROWS:
        (stage.store / row).parent.mkdir(parents=True, exist_ok=True)
        (stage.store / row).write_text(next(said), errors="replace")


async def send_everywhere(stage: RunningApp, said: Iterator[str]) -> None:
    """What strangers send; no answer is a fault of ours, unless a row of the store is broken."""
    headers = {"Authorization": f"Bearer {stage.token()}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        for route in routes.ROUTES:
            path = "/".join(_segment(next(said)) if part.startswith("{") else part for part in route.path.split("/"))
            body = {field.name: next(said) for field in msgspec.structs.fields(route.body)}
            query = {field.name: next(said) for field in msgspec.structs.fields(route.query)}
            url = f"{stage.host.url}/api/{path}"
            async with http.request(route.method, url, json=body, params=query) as answer:
                assert answer.status < 500 or "DocumentBroken" in await answer.text(), (route, body, query)
        for function in EVENTS:
            data = {name: next(said) for name in ("resourceUri", "jobId", "vaultName", "ObjectName", "VaultName", "Id")}
            event = {"id": next(said), "subject": next(said), "eventType": next(said), "dataVersion": "1", "data": data}
            kinds = ("Microsoft.Resources.ResourceWriteSuccess", "Microsoft.KeyVault.CertificateNearExpiry", next(said))
            for kind in kinds:
                text = json.dumps([{**event, "eventType": kind, "eventTime": "2027-01-15T08:00:00Z"}])
                url = f"{stage.host.url}/runtime/webhooks/eventgrid?functionName={function}"
                await (await http.post(url, data=text, headers={"aeg-event-type": "Notification"})).release()


def _segment(text: str) -> str:
    return quote(text.encode(errors="replace"), safe="") or "x"


def astray(stage: RunningApp) -> list[str]:
    """Requests to what isn't the fleet's, or isn't listed."""
    return [e.url for e in stage.world.wire.exchanges if not _within(e.url)]


def _within(url: str) -> bool:
    path = urlsplit(url).path
    words = [unquote(word) for word in path.split("/")[1:]]
    if any(word in (".", "..") or set(word) & set("/\\#?\x00\n") for word in words):
        return words[0] == "files"  # names within a share, which its owners write
    if words[0] == "k8s":
        return words[1] in LISTED
    if words[0].lower() == "subscriptions":
        return words[1] == SUBSCRIPTION and not (WILD in path and "listCluster" in path)
    return words[0] in SERVED or words[:3] == ["providers", "Microsoft.ResourceGraph", "resources"]


@given(texts)
@settings(max_examples=4, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
async def test_whatever_strangers_write_and_send_nothing_leaves_the_fleet_and_nothing_breaks(
    stage: RunningApp, texts: list[str]
) -> None:
    said = cycle(texts)
    write_everywhere(stage, said)
    await send_everywhere(stage, said)
    await stage.clock.advance(HOUR)
    members = scenario.policy()["trust_domains"][TRUST_DOMAIN]
    stage.say(trust_domains={TRUST_DOMAIN: {**members, "protect": {next(said): next(said)}}})
    await send_everywhere(stage, said)
    await stage.clock.advance(10 * MINUTE)
    stage.say()
    assert astray(stage) == []
    assert not [line for line in stage.log if any(word in line for word in NOT_OURS)]
    assert max(map(len, stage.log)) < LONGEST_LINE
    ours = [line for line in stage.log if " meshward: " in line[:20]]  # the host writes traces of its own
    assert ours
    assert not [line for line in ours if "\n" in line.rstrip("\n")]


async def test_if_tags_granted_anything_strangers_would_be_contacted(tmp_path: Path) -> None:
    async with open_app(seed=seed, judged=False, app=BY_TAG.grow(tmp_path)) as stage:
        await stage.run(lambda: bool(astray(stage)), 2 * HOUR)
