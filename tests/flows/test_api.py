import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import aiohttp
import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from functions import routes
from local import scenario
from local.cloud.clock import Clock
from local.host.host import FunctionsHost
from local.stage import APP, AUDIENCE, RunningApp
from shared.settings import Settings
from tests.worlds.ids import HOSTILE
from tests.worlds.verifications import run_of

ROUTES = [
    ("GET", "plans/rotations"),
    ("GET", "plans/rotations/anything"),
    ("POST", "rotations"),
    ("POST", "rotations/anything/resume"),
    ("POST", "rotations/anything/abort"),
    ("POST", "roots"),
    ("GET", "plans/exclusions/anything"),
    ("POST", "rotations/anything/exclude"),
    ("GET", "plans/protections"),
    ("POST", "protections"),
    ("GET", "plans/releases"),
    ("POST", "releases"),
    ("POST", "verifications"),
    ("GET", "restores"),
    ("GET", "restores/report"),
    ("GET", "census"),
    ("POST", "selftest"),
    ("GET", "instances/anything"),
]


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def call(
    http: aiohttp.ClientSession, stage: RunningApp, method: str, route: str, token: str | None, body: Any = None
) -> tuple[int, Any, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    async with http.request(method, f"{stage.host.url}/api/{route}", headers=headers, json=body) as answer:
        return answer.status, await answer.json(), answer.headers


def test_the_routes_tested_here_are_all_there_are() -> None:
    assert [(route.method, re.sub(r"{\w+}", "anything", route.path)) for route in routes.ROUTES] == ROUTES


async def test_the_host_serves_no_http_function_besides_them(stage: RunningApp) -> None:
    assert sum(kind == "httpTrigger" for kind in stage.host.functions.values()) == len(ROUTES)


async def test_every_route_refuses_a_call_without_a_valid_token(stage: RunningApp, http: aiohttp.ClientSession) -> None:
    issue, caller, now = stage.world.entra.token, stage.caller(), int(stage.clock.time())
    foreign_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    claims = jwt.decode(stage.token(), options={"verify_signature": False})
    bad_tokens = {
        "NoToken": None,
        "BadToken": "not-a-token",
        "WrongAudience": issue(caller, "https://management.azure.com"),
        "WrongIssuer": issue(caller, AUDIENCE, iss="https://login.example/other/v2.0"),
        "Expired": issue(caller, AUDIENCE, nbf=now - 7200, exp=now - 3600),
        "NotYetValid": issue(caller, AUDIENCE, nbf=now + 3600),
        "BadToken (another key)": jwt.encode(claims, foreign_key, algorithm="RS256", headers={"kid": "sim-1"}),
        "BadToken (unsigned)": jwt.encode(claims, "", algorithm="none", headers={"kid": "sim-1"}),
    }
    for method, route in ROUTES:
        for reason, token in bad_tokens.items():
            status, body, headers = await call(http, stage, method, route, token)
            assert (status, body["reason"]) == (401, reason.split()[0]), (route, reason)
            assert headers["WWW-Authenticate"] == "Bearer"
    assert stage.host.instances() == []


async def test_a_token_does_not_appear_in_the_log(stage: RunningApp, http: aiohttp.ClientSession) -> None:
    token = stage.token()
    await call(http, stage, "GET", "instances/none", token)
    await call(http, stage, "GET", "instances/none", token[:-4])
    assert not [line for line in stage.log if token[-20:] in line or token[:40] in line]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (None, "isn't JSON"),
        ([], "Expected `object`"),
        ("text", "Expected `object`"),
        ({}, 'at "certificate": it is missing'),
        ({"certificate": 7}, 'at "certificate": Expected `str`'),
        ({"certificate": ""}, 'at "certificate": Expected `str` of length >= 1'),
        ({"certificate": "a", "mod": "compromise"}, 'at "mod": there is no such field'),
        ({"certificate": "a", "mode": "compromise"}, 'at "plan": it is missing'),
        ({"certificate": "a", "\u202e" * 300: 1}, "there is no such field"),
    ],
)
async def test_a_body_that_isn_t_as_its_route_says_is_refused_with_the_name_of_the_field(
    stage: RunningApp, http: aiohttp.ClientSession, body: Any, told: str
) -> None:
    status, answer, _ = await call(http, stage, "POST", "rotations", stage.token(), body)
    assert (status, answer["reason"]) == (400, "MalformedBody")
    assert told in answer["message"]
    assert (answer["message"].isprintable(), len(answer["message"]) < 400) == (True, True)
    assert not stage.host.instances()


@pytest.mark.parametrize("route", [r for r in routes.ROUTES if r.body is not routes.Nothing], ids=lambda r: r.path)
async def test_no_body_may_have_a_field_that_its_route_doesn_t_know(
    stage: RunningApp, http: aiohttp.ClientSession, route: routes.ApiRoute[Any, Any]
) -> None:
    known = {field.name: "x" for field in msgspec.structs.fields(route.body)}
    status, answer, _ = await call(http, stage, "POST", route.path, stage.token(), known | {"force": "x"})
    assert (status, answer["reason"]) == (400, "MalformedBody")
    assert answer["message"] == 'the body is refused at "force": there is no such field'


@pytest.mark.parametrize(("domain", "print"), [("a b", "ab" * 32), ("a.b", "ab:" * 32), ("x" * 65, "ab" * 32)])
async def test_a_root_is_named_by_a_trust_domain_and_a_fingerprint_in_hexadecimal_digits(
    stage: RunningApp, http: aiohttp.ClientSession, domain: str, print: str
) -> None:
    body = {"trust_domain": domain, "fingerprint": print, "why": "x"}
    status, answer, _ = await call(http, stage, "POST", "roots", stage.token(), body)
    assert (status, answer["reason"]) == (400, "MalformedBody")


NAMING = [
    ("GET", "plans/protections", "cluster_id", "NotACluster"),
    ("GET", "plans/releases", "cluster_id", "NotACluster"),
    ("GET", "restores", "source_id", "NotAResourceId"),
    ("GET", "restores/report", "source_id", "NotAResourceId"),
    ("POST", "protections", "cluster_id", "NotACluster"),
    ("POST", "releases", "cluster_id", "NotACluster"),
    ("POST", "verifications", "job_id", "NotABackupJob"),
    ("POST", "verifications", "item_id", "NotAProtectedItem"),
    ("POST", "rotations", "certificate", "NotATrustRoot"),
]


@pytest.mark.parametrize(("method", "route", "field", "reason"), NAMING, ids=[" ".join(named[:3]) for named in NAMING])
async def test_a_text_that_names_nothing_is_refused_shortly_and_nothing_starts(
    stage: RunningApp, http: aiohttp.ClientSession, method: str, route: str, field: str, reason: str
) -> None:
    for text in filter(None, HOSTILE.values()):
        end = text[-2000:]  # as long as a URL may be
        path = route if method == "POST" else f"{route}?{urlencode({field: end})}"
        plan = {} if route == "verifications" else {"plan": "x"}
        body = {field: text, **plan} if method == "POST" else None
        status, answer, _ = await call(http, stage, method, path, stage.token(), body)
        assert (status, answer["reason"]) == (400, reason), text
        assert len(answer["message"]) < 300
        assert answer["message"].isprintable()
    assert not stage.host.instances()


@pytest.mark.parametrize("body", [b"", b"\xff", b"1" * 5_000, b"[" * 100_000, b'{"certificate":' * 100_000])
async def test_a_body_that_nobody_can_read_is_refused(
    stage: RunningApp, http: aiohttp.ClientSession, body: bytes
) -> None:
    headers = {"Authorization": f"Bearer {stage.token()}"}
    async with http.post(f"{stage.host.url}/api/rotations", headers=headers, data=body) as answer:
        assert (answer.status, (await answer.json())["reason"]) == (400, "MalformedBody")


async def test_a_recovery_point_is_a_name_and_days_are_a_number(stage: RunningApp, http: aiohttp.ClientSession) -> None:
    item = stage.world.backup_vaults.complete_backup(scenario.BACKED_UP_CLUSTER)["properties"]["backupInstanceId"]
    for point in ("..", "a/b", "\u212a", "x" * 10_000):
        body = {"item_id": item, "point_id": point}
        status, answer, _ = await call(http, stage, "POST", "verifications", stage.token(), body)
        assert (status, answer["reason"], len(answer["message"]) < 100) == (400, "MalformedBody", True)
    for days in ("0", "401", "\u00b2", "\u0661", "9" * 5000, "1\n"):
        status, answer, _ = await call(http, stage, "GET", f"restores?{urlencode({'days': days})}", stage.token())
        assert (status, answer["reason"]) == (400, "MalformedQuery")


async def test_an_unknown_instance_is_not_found(stage: RunningApp, http: aiohttp.ClientSession) -> None:
    status, answer, _ = await call(http, stage, "GET", "instances/none", stage.token())
    assert (status, answer["reason"]) == (404, "NoSuchInstance")


async def test_a_flow_started_by_hand_answers_with_the_url_of_its_status(
    stage: RunningApp, http: aiohttp.ClientSession
) -> None:
    cluster = next(r for r in stage.world.arm.resources.values() if r["name"] == "aks-new")
    status, answer, headers = await call(
        http, stage, "POST", "protections", stage.token(), {"cluster_id": cluster["id"]}
    )
    assert status == 202
    assert headers["Location"] == answer["status_url"] == f"/api/instances/{answer['instance_id']}"
    again = await call(http, stage, "POST", "protections", stage.token(), {"cluster_id": cluster["id"]})
    assert again[1]["instance_id"] == answer["instance_id"]
    assert len(stage.host.instances()) == 1
    await stage.run(answer["instance_id"])
    status, shown, _ = await call(http, stage, "GET", f"instances/{answer['instance_id']}", stage.token())
    assert (status, shown["status"], shown["flow"]) == (200, "completed", "protect_cluster")


async def test_a_cluster_that_does_not_ask_for_protection_is_refused_with_what_to_do(
    stage: RunningApp, http: aiohttp.ClientSession
) -> None:
    cluster = next(r for r in stage.world.arm.resources.values() if r["name"] == "aks-west")
    status, answer, _ = await call(http, stage, "POST", "protections", stage.token(), {"cluster_id": cluster["id"]})
    assert (status, answer["reason"]) == (400, "NotOptedIn")
    assert "meshward:protect=true" in answer["message"]


async def test_a_rotation_can_be_started_by_hand(stage: RunningApp, http: aiohttp.ClientSession) -> None:
    status, answer, _ = await call(http, stage, "POST", "rotations", stage.token(), {"certificate": scenario.OLD_ROOT})
    assert (status, answer["instance_id"]) == (202, "rotate-prod-contoso-example-702c5961d5b82e49-g2")
    assert stage.host.instance(answer["instance_id"]) is not None


async def test_a_verification_can_be_started_by_hand(stage: RunningApp, http: aiohttp.ClientSession) -> None:
    job = stage.world.backup_vaults.complete_backup(scenario.BACKED_UP_CLUSTER)
    status, answer, _ = await call(http, stage, "POST", "verifications", stage.token(), {"job_id": job["id"]})
    assert (status, answer["instance_id"]) == (202, run_of(job))
    assert stage.host.instance(answer["instance_id"]) is not None


async def test_without_settings_the_functions_load_and_the_log_names_all_that_are_missing(
    http: aiohttp.ClientSession, clock: Clock
) -> None:
    host = FunctionsHost(APP, {}, clock)
    await host.start()
    try:
        assert {"on_certificate_event", "on_cluster_event", "on_backup_completed"} <= set(host.functions)
        async with http.get(f"{host.url}/api/instances/any") as answer:
            assert answer.status == 500
            assert "MESHWARD_" not in await answer.text()
    finally:
        await host.stop()
    named = next(line for line in host.log if "SettingsMissing" in line or "MESHWARD_TENANT_ID" in line)
    assert all(f"MESHWARD_{f.name.upper()}" in named for f in msgspec.structs.fields(Settings) if f.required)
