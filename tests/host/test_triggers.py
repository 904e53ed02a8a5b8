import json
from datetime import timedelta
from typing import Any

import aiohttp

from local.cloud.clock import Clock
from local.host.host import FunctionsHost

HOOK = "/runtime/webhooks/eventgrid"


async def test_an_http_function_sees_the_request_and_its_answer_comes_back_whole(
    host: FunctionsHost, http: aiohttp.ClientSession, clock: Clock
) -> None:
    async with http.post(f"{host.url}/v1/hello/Ada?x=1", data="hi") as response:
        assert response.status == 201
        assert response.headers["X-Sample"] == "yes"
        assert response.headers["Set-Cookie"] == "flavour=oat; HttpOnly; Max-Age=60; Path=/v1; SameSite=Lax"
        assert await response.json(content_type=None) == {
            "name": "Ada",
            "query": {"x": "1"},
            "body": "hi",
            "url": f"{host.url}/v1/hello/Ada?x=1",
            "time": clock.time(),
            "greeting": "good day",
        }


async def test_a_literal_route_wins_over_a_parameter_and_case_does_not_matter(
    host: FunctionsHost, http: aiohttp.ClientSession
) -> None:
    async with http.post(f"{host.url}/V1/Hello/World") as response:
        assert (response.status, await response.text()) == (200, "literal")


async def test_an_unknown_route_or_method_is_not_found(host: FunctionsHost, http: aiohttp.ClientSession) -> None:
    for method, path in [("GET", "/v1/hello/Ada"), ("POST", "/v1/nothing"), ("POST", "/api/hello/Ada")]:
        async with http.request(method, host.url + path) as response:
            assert response.status == 404


async def test_an_http_function_that_raises_is_a_500_without_its_reason(
    host: FunctionsHost, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{host.url}/v1/broken") as response:
        assert (response.status, await response.text()) == (500, "")
    assert any("RuntimeError: not today" in line for line in host.log)


def event(number: int, **data: Any) -> dict[str, Any]:
    return {"id": str(number), "subject": "s", "eventType": "Sample", "dataVersion": "1", "data": data}


async def post_events(http: aiohttp.ClientSession, url: str, kind: str | None, content: object) -> tuple[int, str]:
    headers = {"aeg-event-type": kind} if kind else {}
    async with http.post(url, data=json.dumps(content), headers=headers) as response:
        return response.status, await response.text()


async def test_the_event_grid_webhook_proves_itself_to_the_service(
    host: FunctionsHost, http: aiohttp.ClientSession
) -> None:
    url = f"{host.url}{HOOK}?functionName=on_event"
    status, text = await post_events(http, url, "SubscriptionValidation", [event(1, validationCode="sesame")])
    assert (status, json.loads(text)) == (200, {"validationResponse": "sesame"})
    async with http.options(url) as response:
        assert (response.status, response.headers["Webhook-Allowed-Origin"]) == (200, "eventgrid.azure.net")


async def test_each_event_of_a_notification_is_an_invocation(host: FunctionsHost, http: aiohttp.ClientSession) -> None:
    seen: list[str] = []
    host.on_invocation(lambda name, moment: seen.append(f"{moment} {name}"))
    url = f"{host.url}/runtime/webhooks/EventGrid?functionName=On_Event"
    assert (await post_events(http, url, "Notification", [event(1), event(2)]))[0] == 202
    assert (await post_events(http, url, "Notification", event(3)))[0] == 202
    assert seen.count("after on_event") == 3


async def test_one_failed_event_fails_its_notification(host: FunctionsHost, http: aiohttp.ClientSession) -> None:
    url = f"{host.url}{HOOK}?functionName=on_event"
    assert (await post_events(http, url, "Notification", [event(1), event(2, fail=True)]))[0] == 500


async def test_an_event_whose_worker_dies_is_a_500_so_that_the_service_sends_it_again(
    host: FunctionsHost, http: aiohttp.ClientSession
) -> None:
    host.on_invocation(lambda _name, moment: host.kill_worker() if moment == "before" else None)
    url = f"{host.url}{HOOK}?functionName=on_event"
    assert (await post_events(http, url, "Notification", event(1)))[0] == 500
    host.on_invocation(None)
    assert (await post_events(http, url, "Notification", event(1)))[0] == 202


async def test_the_webhook_refuses_what_it_does_not_know(host: FunctionsHost, http: aiohttp.ClientSession) -> None:
    listed, unknown = f"{host.url}{HOOK}?functionName=on_event", f"{host.url}{HOOK}?functionName=sweep"
    assert (await post_events(http, unknown, "Notification", []))[0] == 404
    assert (await post_events(http, listed, None, []))[0] == 400
    assert (await post_events(http, listed, "Unsubscribe", []))[0] == 202


async def test_a_timer_ticks_at_its_moments_of_virtual_time(host: FunctionsHost, clock: Clock) -> None:
    ticks: list[float] = []
    host.on_invocation(lambda _name, moment: ticks.append(clock.time()) if moment == "before" else None)
    await clock.advance(timedelta(hours=18))
    assert [at % (6 * 3600) for at in ticks] == [0, 0, 0]


async def test_a_tick_whose_worker_dies_is_not_repeated_and_the_next_one_comes(
    host: FunctionsHost, clock: Clock
) -> None:
    ticks: list[float] = []

    def kill_first(_name: str, moment: str) -> None:
        if moment == "before":
            ticks.append(clock.time())
            if len(ticks) == 1:
                host.kill_worker()

    host.on_invocation(kill_first)
    await clock.advance(timedelta(hours=12))
    assert [later - ticks[0] for later in ticks] == [0, 6 * 3600]


async def test_a_timer_can_be_run_at_once(host: FunctionsHost, clock: Clock) -> None:
    ticks: list[str] = []
    host.on_invocation(lambda name, _moment: ticks.append(name))
    await host.invoke_timer("sweep")
    assert ticks == ["sweep", "sweep"]
