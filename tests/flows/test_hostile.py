"""What strangers may send to the app's entrances: no answer is a 5xx, no worker dies, no line of the log is theirs."""

import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple
from urllib.parse import quote

import aiohttp
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions import routes
from local import scenario
from local.stage import RunningApp
from tests.worlds.ids import HOSTILE, ids, mangled

LONGEST_LINE = 6_000
DEPTHS = (500, 900, 990, 1_500, 5_000, 100_000)
POSTS = [route for route in routes.ROUTES if route.body is not routes.Nothing]


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def call(
    http: aiohttp.ClientSession, stage: RunningApp, method: str, path: str, **request: Any
) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {stage.token()}", **request.pop("headers", {})}
    async with http.request(method, f"{stage.host.url}/api/{path}", headers=headers, **request) as answer:
        is_json = answer.content_type == "application/json"  # not so the host's own answers
        return answer.status, await answer.json() if is_json else None


async def announce(http: aiohttp.ClientSession, stage: RunningApp, function: str, event: dict[str, Any]) -> int:
    url = f"{stage.host.url}/runtime/webhooks/eventgrid?functionName={function}"
    async with http.post(url, data=json.dumps([event]), headers={"aeg-event-type": "Notification"}) as answer:
        return answer.status


def written(cluster: object, **envelope: object) -> dict[str, Any]:
    return {
        "id": "1",
        "subject": "x",
        "eventType": "Microsoft.Resources.ResourceWriteSuccess",
        "eventTime": "2027-01-15T08:00:00Z",
        "dataVersion": "2",
        "data": {"operationName": "Microsoft.ContainerService/managedClusters/write", "resourceUri": cluster},
        **envelope,
    }


async def test_a_body_that_nests_however_deeply_is_refused(stage: RunningApp, http: aiohttp.ClientSession) -> None:
    for route in POSTS:
        field = next(iter(msgspec.structs.fields(route.body))).name
        for depth in DEPTHS:
            body = f'{{"{field}":{"[" * depth}{"]" * depth}}}'.encode()
            status, answer = await call(http, stage, "POST", route.path, data=body)
            assert (status, answer["reason"]) == (400, "MalformedBody"), (route.path, depth)


@pytest.mark.parametrize("depth", DEPTHS)
async def test_a_policy_that_nests_however_deeply_is_refused_by_name(
    stage: RunningApp, http: aiohttp.ClientSession, depth: int
) -> None:
    cluster = next(r for r in stage.world.arm.resources.values() if r["name"] == scenario.NEW_CLUSTER)
    for text in ("[" * depth + "]" * depth, '{"default":' + '{"trust":' * depth + "1" + "}" * depth + "}", "[" * depth):
        stage.policy.write_text(text)
        status, answer = await call(http, stage, "GET", "plans/protections", params={"cluster_id": cluster["id"]})
        assert (status, answer["reason"]) == (400, "BadPolicy")
        assert len(answer["message"]) < 400


async def test_the_url_of_a_status_is_none_that_a_caller_names(stage: RunningApp, http: aiohttp.ClientSession) -> None:
    headers = {"Host": "mallory.example", "X-Forwarded-Host": "mallory.example"}
    status, answer = await call(http, stage, "POST", "selftest", headers=headers)
    assert (status, answer["status_url"]) == (202, f"/api/instances/{answer['instance_id']}")


async def test_no_id_however_long_or_broken_writes_a_long_line_of_the_log_or_one_of_its_own(
    stage: RunningApp, http: aiohttp.ClientSession
) -> None:
    forged = "\nWARNING step refused forged=1"
    long = f"/subscriptions/{'x' * 3_000_000}"
    for text in (long, forged, f"{HOSTILE['a newline within']}{forged}"):
        await announce(http, stage, "on_cluster_event", written(text))
        await announce(http, stage, "on_cluster_event", written("x", id=text))
        await announce(http, stage, "on_cluster_event", written("x", eventType=text))
        await announce(http, stage, "on_certificate_event", written("x", id=text))
        await call(http, stage, "POST", "protections", json={"cluster_id": text})
    assert any("event declined" in line for line in stage.log)
    assert max(map(len, stage.log)) < LONGEST_LINE
    assert not [line for line in stage.log if line.startswith("WARNING step refused forged")]


TEXTS = st.text(max_size=60) | ids() | mangled | st.sampled_from(sorted(HOSTILE.values()))
VALUES = TEXTS | st.none() | st.integers() | st.booleans() | st.lists(TEXTS, max_size=2)


class Sent(NamedTuple):
    """A call, and an event beside it."""

    method: str
    path: str
    body: dict[str, Any]
    query: dict[str, str]
    event: dict[str, Any]


@st.composite
def sent(draw: st.DrawFn) -> Sent:
    route = draw(st.sampled_from([route for route in routes.ROUTES if route is not routes.START_SELFTEST]))
    parts = [_quoted(draw(TEXTS)) if part.startswith("{") else part for part in route.path.split("/")]
    names = [field.name for field in msgspec.structs.fields(route.body)]
    body = draw(st.dictionaries(st.sampled_from(names), VALUES, max_size=3)) if names else {}
    query = {field.name: draw(TEXTS) for field in msgspec.structs.fields(route.query)}
    return Sent(route.method, "/".join(parts), body, query, written(draw(VALUES), id=draw(TEXTS)))


@given(sent())
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
async def test_whatever_is_sent_to_any_entrance_no_answer_is_a_fault_of_ours(
    stage: RunningApp, http: aiohttp.ClientSession, sent: Sent
) -> None:
    status, _ = await call(http, stage, sent.method, sent.path, json=sent.body, params=sent.query)
    assert status < 500, sent
    await announce(http, stage, "on_cluster_event", sent.event)
    assert "the worker died; starting another" not in stage.log


def _quoted(text: str) -> str:
    return quote(text.encode(errors="replace"), safe="") or "x"
