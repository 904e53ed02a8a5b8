"""One member gives what nobody can read: it is blocked by name, no worker dies, and the others are as they were."""

import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from local.cloud.wire import InjectedFault, Reply
from local.cloud.world import World
from local.scenario import OLD_ROOT, seed_trust
from local.stage import RunningApp
from tests.worlds.app import open_app

EAST = "aks-east"
BY_HAND = {
    f"AzureWebJobs.{timer}.Disabled": "true" for timer in ("backup_watch", "expiry_sweep", "issuer_sweep", "janitor")
}
CONFIG = f"GET /k8s/{EAST}/api/v1/namespaces/linkerd/configmaps/linkerd-config"
BUNDLE = f"GET /k8s/{EAST}/api/v1/namespaces/linkerd/configmaps/linkerd-identity-trust-roots"
PODS = f"GET /k8s/{EAST}/api/v1/pods"


@pytest.fixture
async def stage() -> AsyncIterator[RunningApp]:
    def seed(world: World) -> None:
        seed_trust(world, 2)

    async with open_app(seed=seed, settings=BY_HAND, judged=False) as stage:
        await stage.clock.advance(timedelta(minutes=10))
        yield stage


def values(text: str) -> Reply:
    return Reply(body={"metadata": {"name": "linkerd-config"}, "data": {"values": text}})


def kubeconfig(server: str) -> Reply:
    text = f'clusters:\n- cluster: {{certificate-authority-data: "", server: "{server}"}}\n'
    return Reply(body={"kubeconfigs": [{"name": "u", "value": base64.b64encode(text.encode()).decode()}]})


ATTACKS = {  # where a server is comes first, as it is kept once it is known
    "a server elsewhere": (f"{EAST}/listClusterUserCredential", kubeconfig("http://127.0.0.1:1"), "ApiServerElsewhere"),
    "a kubeconfig of brackets": (
        f"{EAST}/listClusterUserCredential",
        Reply(body={"kubeconfigs": [{"name": "u", "value": base64.b64encode(b"[" * 900_000).decode()}]}),
        "AnswerUnreadable",
    ),
    "brackets": (CONFIG, values("[" * 900_000), "AnswerUnreadable"),
    "aliases": (CONFIG, values("a: &a [x, x]\n" + "b: &b [*a, *a]\nc: [*b, *b]\n"), "AnswerUnreadable"),
    "a list as values": (CONFIG, values("[]"), "AnswerUnreadable"),
    "no object": (CONFIG, Reply(content=b"[" * 100_000), "AnswerUnreadable"),
    "a bundle of another form": (BUNDLE, Reply(body={"data": [], "metadata": {}}), "StepBroken"),
    "a list without an end": (PODS, Reply(body={"items": [], "metadata": {"continue": "x"}}), "AnswerUnreadable"),
    "a pod that is none": (PODS, Reply(body={"items": [{"spec": 7}], "metadata": {}}), "StepBroken"),
}


async def plan_of(stage: RunningApp) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {stage.token()}"}
    url = f"{stage.host.url}/api/plans/rotations/{OLD_ROOT}"
    async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as answer:
        body = await answer.json()
        assert answer.status == 200, body
        members: list[dict[str, Any]] = body["members"]
        return members


async def test_whatever_one_member_gives_it_is_blocked_by_name_and_the_others_are_planned(stage: RunningApp) -> None:
    worker = stage.host.worker_pid
    for name, (on, reply, reason) in ATTACKS.items():
        stage.world.wire.inject(InjectedFault(on=on, kind="answer", reply=reply, times=2))
        east, west = await plan_of(stage)
        assert east["blocker"], name
        assert (east["blocker"]["reason"], west["blocker"]) == (reason, None), name
        assert len(east["blocker"]["message"]) < 500
        stage.world.wire.faults.clear()
    assert stage.host.worker_pid == worker
    assert [member["blocker"] for member in await plan_of(stage)] == [None, None]
