"""Event Grid delivers at least once, in no order, on its schedule, and buries what can't be delivered."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.core.messaging import CloudEvent
from azure.eventgrid.aio import EventGridPublisherClient

from local.cloud.entra import Principal
from local.cloud.event_grid.delivery import RETRY_SECONDS
from local.cloud.event_grid.topics import ValidationFailed
from local.cloud.world import SUBSCRIPTION, World
from tests.worlds import sdk

WRITE = {
    "key": "data.operationName",
    "operatorType": "StringIn",
    "values": ["Microsoft.ContainerService/managedClusters/write"],
}


@dataclass
class Webhook:
    """An endpoint that takes part in the handshake, keeps what it gets and answers `statuses` in turn, then 202."""

    url: str = ""
    willing: bool = True
    statuses: list[int] = field(default_factory=list)
    got: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    async def options(self, request: web.Request) -> web.Response:
        return web.Response(
            headers={"WebHook-Allowed-Origin": request.headers["WebHook-Request-Origin"]} if self.willing else {}
        )

    async def post(self, request: web.Request) -> web.Response:
        body = await request.json()
        if request.headers["aeg-event-type"] == "SubscriptionValidation":
            code = body[0]["data"]["validationCode"] if self.willing else "another"
            return web.json_response({"validationResponse": code})
        self.got.append(body)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        return web.Response(status=self.statuses.pop(0) if self.statuses else 202)


@pytest.fixture
async def webhook() -> AsyncIterator[Webhook]:
    hook, app = Webhook(), web.Application()
    app.router.add_route("OPTIONS", "/", hook.options)
    app.router.add_post("/", hook.post)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield hook
    await runner.cleanup()


def _event(id: str = "1", subject: str = "a/b") -> dict[str, Any]:
    return {"id": id, "source": "/meshward", "type": "meshward.made", "specversion": "1.0", "subject": subject}


def _publisher(world: World, principal: Principal, topic: str = "own") -> EventGridPublisherClient:
    return EventGridPublisherClient(f"{world.wire.url}/topics/{topic}/api/events", **sdk.aio(world, principal))


async def test_a_published_cloud_event_reaches_its_subscriber(world: World, webhook: Webhook) -> None:
    await world.event_grid.subscribe("Sub", topic="own", endpoint=webhook.url)
    event = CloudEvent(source="/meshward", type="meshward.made", id="job:Completed", subject="a/b", data={"x": 1})
    async with _publisher(world, world.entra.add("app")) as client:
        await client.send(event)
    assert not webhook.got
    await world.clock.advance(timedelta(seconds=5))
    assert [got["id"] for got in webhook.got] == ["job:Completed"]
    assert webhook.got[0]["data"] == {"x": 1}
    assert webhook.headers[0]["content-type"].startswith("application/cloudevents+json")
    assert webhook.headers[0]["aeg-subscription-name"] == "SUB"
    assert world.wire.exchanges[-1].body is None


async def test_publishing_needs_a_token_and_the_schema_of_the_topic(world: World) -> None:
    world.event_grid.topic("own")
    async with _publisher(world, world.entra.add("app")) as client:
        with pytest.raises(HttpResponseError) as refused:
            await client.send(_grid_event())
    stranger = Principal(object_id="o", client_id="c", name="stranger")
    async with _publisher(world, stranger) as client:
        with pytest.raises(ClientAuthenticationError):
            await client.send(CloudEvent(source="s", type="t"))
    assert refused.value.status_code == 400


async def test_a_cluster_write_arrives_in_either_schema_and_only_where_the_filter_allows_it(
    world: World, webhook: Webhook
) -> None:
    own = world.event_grid.SUBSCRIPTION
    await world.event_grid.subscribe("ce", topic=own, endpoint=webhook.url, advanced_filters=[WRITE])
    await world.event_grid.subscribe("eg", topic=own, endpoint=webhook.url, schema="EventGridSchema")
    cluster = world.aks.add("alpha")
    world.aks.announce(cluster)
    world.aks.announce(cluster, operation="agentPools/write")
    world.aks.remove("alpha")
    await world.clock.advance(timedelta(seconds=5))
    (cloud,) = [got for got in webhook.got if isinstance(got, dict)]
    grid = [got[0] for got in webhook.got if isinstance(got, list)]
    assert [event["eventType"].rpartition(".")[2] for event in grid] == [
        "ResourceWriteSuccess",
        "ResourceWriteSuccess",
        "ResourceDeleteSuccess",
    ]
    assert (cloud["source"], cloud["type"]) == (f"/subscriptions/{SUBSCRIPTION}", grid[0]["eventType"])
    assert (cloud["id"], cloud["data"]) == (grid[0]["id"], grid[0]["data"])
    assert cloud["subject"].lower() == cluster["id"].lower()


@pytest.mark.parametrize(
    ("filter", "passes"),
    [
        ({"operatorType": "StringIn", "key": "Subject", "values": ["A/B", "x"]}, True),
        ({"operatorType": "StringBeginsWith", "key": "subject", "values": ["b"]}, False),
        ({"operatorType": "StringContains", "key": "data.name", "values": ["LPH"]}, True),
        ({"operatorType": "StringNotIn", "key": "data.name", "values": ["alpha"]}, False),
        ({"operatorType": "StringNotIn", "key": "data.absent", "values": ["alpha"]}, True),
        ({"operatorType": "StringEndsWith", "key": "data.absent", "values": [""]}, False),
        ({"operatorType": "NumberGreaterThan", "key": "data.count", "value": 2}, True),
        ({"operatorType": "NumberIn", "key": "data.count", "values": [2]}, False),
        ({"operatorType": "BoolEquals", "key": "data.ready", "value": True}, True),
        ({"operatorType": "IsNullOrUndefined", "key": "data.absent"}, True),
        ({"operatorType": "IsNotNull", "key": "data.absent"}, False),
    ],
)
async def test_an_advanced_filter_decides(world: World, webhook: Webhook, filter: dict[str, Any], passes: bool) -> None:
    await world.event_grid.subscribe("sub", topic="own", endpoint=webhook.url, advanced_filters=[filter])
    world.event_grid.publish("own", _event() | {"data": {"name": "Alpha", "count": 3, "ready": True}})
    await world.clock.advance(timedelta(seconds=5))
    assert bool(webhook.got) == passes


async def test_types_and_subjects_filter_too(world: World, webhook: Webhook) -> None:
    await world.event_grid.subscribe("t", topic="own", endpoint=webhook.url, included_types=["meshward.other"])
    await world.event_grid.subscribe("b", topic="own", endpoint=webhook.url, subject_begins_with="b/")
    await world.event_grid.subscribe("e", topic="own", endpoint=webhook.url, subject_ends_with="/B")
    world.event_grid.publish("own", _event())
    await world.clock.advance(timedelta(seconds=5))
    assert [delivery.subscription for delivery in world.event_grid.deliveries] == ["e"]


async def test_more_filter_values_than_the_service_takes_are_refused(world: World, webhook: Webhook) -> None:
    many = {"operatorType": "StringIn", "key": "subject", "values": [str(n) for n in range(26)]}
    for bad in (many, {"operatorType": "StringLike", "key": "subject", "values": []}):
        with pytest.raises(ValueError, match="refuses"):
            await world.event_grid.subscribe("sub", topic="own", endpoint=webhook.url, advanced_filters=[bad])


@pytest.mark.parametrize("schema", ["EventGridSchema", "CloudEventSchemaV1_0"])
async def test_an_endpoint_that_does_not_agree_gets_no_subscription(
    world: World, webhook: Webhook, schema: str
) -> None:
    webhook.willing = False
    with pytest.raises(ValidationFailed):
        await world.event_grid.subscribe("sub", topic="own", endpoint=webhook.url, schema=schema)
    assert not world.event_grid.topic("own").subscriptions


async def test_failures_are_repeated_on_the_services_schedule(world: World, webhook: Webhook) -> None:
    webhook.statuses = [500, 503, 500]
    await world.event_grid.subscribe("sub", topic="own", endpoint=webhook.url)
    world.event_grid.publish("own", _event())
    await world.clock.advance(timedelta(minutes=10))
    times = [delivery.when for delivery in world.event_grid.deliveries]
    assert [later - earlier for earlier, later in pairwise(times)] == list(RETRY_SECONDS[:3])
    assert [delivery.status for delivery in world.event_grid.deliveries] == [500, 503, 500, 202]
    assert [headers["aeg-delivery-count"] for headers in webhook.headers] == ["0", "1", "2", "3"]
    assert not world.event_grid.dead_letters


async def test_a_refused_event_is_dead_lettered_after_five_minutes_without_another_attempt(
    world: World, webhook: Webhook
) -> None:
    webhook.statuses = [400]
    await world.event_grid.subscribe("sub", topic="own", endpoint=webhook.url)
    world.event_grid.publish("own", _event())
    await world.clock.advance(timedelta(minutes=4))
    assert not world.event_grid.dead_letters
    await world.clock.advance(timedelta(minutes=2))
    letter = world.event_grid.dead_letters[0]
    assert letter["id"] == "1"
    assert letter["deadletterreason"] == "UndeliverableDueToHttpBadRequest"
    assert (letter["deliveryattempts"], letter["lastdeliveryoutcome"]) == (1, "BadRequest")
    assert len(world.event_grid.deliveries) == 1


async def test_attempts_and_time_to_live_run_out(world: World, webhook: Webhook) -> None:
    webhook.statuses = [500] * 50
    await world.event_grid.subscribe("few", topic="own", endpoint=webhook.url, schema="EventGridSchema", max_attempts=3)
    await world.event_grid.subscribe(
        "short", topic="own", endpoint=webhook.url, schema="EventGridSchema", ttl_minutes=5
    )
    world.event_grid.publish("own", _grid_event())
    await world.clock.advance(timedelta(hours=1))
    reasons = {letter["deadLetterReason"]: letter["deliveryAttempts"] for letter in world.event_grid.dead_letters}
    assert reasons == {"MaxDeliveryAttemptsExceeded": 3, "TimeToLiveExceeded": 4}


async def test_an_endpoint_that_is_down_is_tried_again(world: World, webhook: Webhook) -> None:
    subscription = await world.event_grid.subscribe("sub", topic="own", endpoint=webhook.url)
    topic = world.event_grid.topic("own")
    topic.subscriptions["sub"] = type(subscription)(name="sub", topic="own", endpoint="http://127.0.0.1:9/")
    world.event_grid.publish("own", _event())
    await world.clock.advance(timedelta(seconds=30))
    assert [delivery.status for delivery in world.event_grid.deliveries] == [None, None]


async def test_an_event_can_come_twice_and_be_overtaken(world: World, webhook: Webhook) -> None:
    await world.event_grid.subscribe("sub", topic="own", endpoint=webhook.url)
    world.event_grid.hold_back(60)
    world.event_grid.publish("own", _event("early"))
    world.event_grid.deliver_twice()
    world.event_grid.publish("own", _event("late"))
    await world.clock.advance(timedelta(minutes=2))
    assert [got["id"] for got in webhook.got] == ["late", "late", "early"]


def _grid_event() -> dict[str, Any]:
    return {
        "id": "1",
        "topic": "/t",
        "subject": "s",
        "eventType": "e",
        "eventTime": "2027-01-15T08:00:00Z",
        "data": {},
        "dataVersion": "1",
        "metadataVersion": "1",
    }
