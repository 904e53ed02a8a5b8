"""HTTP: start each flow by hand and look at it. Every route asks for a valid Entra token before anything else.

`routes` says what each route takes and does; docs/api.md shows it. What serves a GET returns the body of its answer;
what serves a POST returns the id of the instance that it has started, or raised an event at; or its whole answer.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

import azure.durable_functions as df
import azure.functions as func
import msgspec

from functions import routes, selftest
from functions.engine.client import Client, with_client
from functions.engine.logs import log
from functions.restores import trends, verification
from functions.routes import ApiRoute, Nothing
from functions.trust import by_hand, exclusions, roots, rotation
from functions.vaults import census, protection, releases
from shared.domain.conversion import Misfit, converted
from shared.domain.errors import (
    Conflict,
    MeshwardError,
    Misconfigured,
    NotFound,
    PermanentError,
    TemporaryError,
    Unreadable,
    shown,
)
from shared.domain.guard.callers import Caller, Unauthenticated
from shared.domain.restores.report import report
from shared.domain.signals import CallAdmitted, CallRefused
from shared.domain.trust.moves import RotationEvent
from shared.wiring import services

app = df.Blueprint(http_auth_level=func.AuthLevel.ANONYMOUS)


@dataclass(frozen=True)
class ApiCall[Q = Nothing, B = Nothing]:
    """A call with a valid token, whose query and body are what its route takes."""

    path: Mapping[str, str]  # the values of its parts, by their names
    query: Q  # as the route takes it
    body: B  # as the route takes it
    client: Client  # that starts flows
    caller: Caller  # by the token


type Handler[Q, B] = Callable[[ApiCall[Q, B]], Awaitable[object]]


def serves[Q, B](route: ApiRoute[Q, B]) -> Callable[[Handler[Q, B]], Handler[Q, B]]:
    """Register what answers a route; it is reached only with a valid token, and its errors become answers."""

    def register(handle: Handler[Q, B]) -> Handler[Q, B]:
        async def run(req: func.HttpRequest, client: Client) -> func.HttpResponse:
            try:
                caller = await services().tokens.caller(req.headers.get("authorization"), services().now())
                log(CallAdmitted(route=route.path, caller=caller.object_id, kind=caller.kind))
                return _answer(req, await handle(_call_of(route, req, client, caller)))
            except MeshwardError as error:
                return _refusal(error, route.path)

        run.__name__ = handle.__name__
        app.route(route=route.path, methods=[route.method])(with_client(app)(run))
        return handle

    return register


@serves(routes.SHOW_UPCOMING_ROTATIONS)
async def show_upcoming_rotations(call: ApiCall) -> object:  # noqa: ARG001
    return (await by_hand.all_upcoming())._asdict()


@serves(routes.SHOW_ROTATION_PLAN)
async def show_rotation_plan(call: ApiCall[routes.ModeQuery]) -> object:
    return await by_hand.current_plan(call.path["certificate"], call.query.mode)


@serves(routes.START_ROTATION)
async def start_rotation(call: ApiCall[Nothing, routes.RotationBody]) -> object:
    body, client = call.body, call.client
    if not body.mode:
        return await rotation.request_rotation(client, body.certificate)
    return await by_hand.start(client, body.certificate, body.mode, body.plan)


@serves(routes.RESUME_ROTATION)
async def resume_rotation(call: ApiCall) -> object:
    return await by_hand.send_command(call.client, call.path["instance_id"], RotationEvent.RESUME)


@serves(routes.ABORT_ROTATION)
async def abort_rotation(call: ApiCall) -> object:
    return await by_hand.send_command(call.client, call.path["instance_id"], RotationEvent.ABORT)


@serves(routes.ADMIT_ROOT)
async def admit_root(call: ApiCall[Nothing, routes.RootBody]) -> object:
    body = call.body
    domain, fingerprint = body.trust_domain.strip().lower(), body.fingerprint.lower()
    return _json(201, await roots.admit_root(domain, fingerprint, call.caller.object_id, body.why))


@serves(routes.SHOW_EXCLUSION_PLAN)
async def show_exclusion_plan(call: ApiCall[routes.ClusterQuery]) -> object:
    return await exclusions.current_plan(call.client, call.path["instance_id"], call.query.cluster_id)


@serves(routes.EXCLUDE_MEMBER)
async def exclude_member(call: ApiCall[Nothing, routes.ExclusionBody]) -> object:
    body = call.body
    return await exclusions.exclude(call.client, call.path["instance_id"], body.cluster_id, body.plan, body.reason)


@serves(routes.SHOW_PROTECTION_PLAN)
async def show_protection_plan(call: ApiCall[routes.ClusterQuery]) -> object:
    plan = await protection.request_plan(call.query.cluster_id)
    return {"plan": plan.hash, "vault": plan.protection.backup_vault_id, "changes": plan.differences}


@serves(routes.START_PROTECTION)
async def start_protection(call: ApiCall[Nothing, routes.ProtectionBody]) -> object:
    return await protection.request_protection(call.client, call.body.cluster_id, call.body.plan)


@serves(routes.SHOW_RELEASE_PLANS)
async def show_release_plans(call: ApiCall[routes.ClusterQuery]) -> object:
    plans = await releases.request_plans(call.query.cluster_id)
    listed = [
        {"plan": p.hash, "vault": p.protection.backup_vault_id, "steps": p.steps, "kept_until": p.kept_until}
        for p in plans
    ]
    return {"releases": listed}


@serves(routes.START_RELEASE)
async def start_release(call: ApiCall[Nothing, routes.ReleaseBody]) -> object:
    return await releases.request_release(call.client, call.body.cluster_id, call.body.plan)


@serves(routes.START_VERIFICATION)
async def start_verification(call: ApiCall[Nothing, routes.VerificationBody]) -> object:
    body = call.body
    return await verification.request_by_hand(call.client, body.job_id, body.item_id, body.point_id)


@serves(routes.SHOW_RESTORES)
async def show_restores(call: ApiCall[routes.RestoresQuery]) -> object:
    return await trends.read_trends(call.query.source_id, call.query.days)


@serves(routes.SHOW_RESTORE_REPORT)
async def show_restore_report(call: ApiCall[routes.RestoresQuery]) -> object:
    page = report(await trends.read_trends(call.query.source_id, call.query.days))
    return func.HttpResponse(page, mimetype="text/html")


@serves(routes.SHOW_CENSUS)
async def show_census(call: ApiCall) -> object:  # noqa: ARG001
    return await census.latest()


@serves(routes.START_SELFTEST)
async def start_selftest(call: ApiCall) -> object:
    return await selftest.request(call.client)


@serves(routes.SHOW_INSTANCE)
async def show_instance(call: ApiCall) -> object:
    run = await call.client.state(call.path["instance_id"])
    if run is None:
        raise NotFound("NoSuchInstance", "no flow has this instance id")
    return run


def _call_of[Q, B](route: ApiRoute[Q, B], req: func.HttpRequest, client: Client, caller: Caller) -> ApiCall[Q, B]:
    given = {name: text for name, text in req.params.items() if text}
    query = _checked("query", given, route.query, strict=False)
    body = _checked("body", {} if route.body is Nothing else _json_of(req), route.body)
    return ApiCall(req.route_params, query, body, client, caller)


def _json_of(req: func.HttpRequest) -> Any:
    try:
        return req.get_json()
    except (ValueError, RecursionError) as error:
        raise PermanentError("MalformedBody", "the body isn't JSON") from error


def _checked[T](part: Literal["query", "body"], given: object, kind: type[T], *, strict: bool = True) -> T:
    try:
        return converted(given, kind, strict=strict)
    except Misfit as misfit:
        at = f' at "{shown(misfit.at[1:])}"' if misfit.at else ""
        message = f"the {part} is refused{at}: {shown(misfit.why)}"
        raise PermanentError("MalformedQuery" if part == "query" else "MalformedBody", message) from misfit


def _answer(req: func.HttpRequest, result: object) -> func.HttpResponse:
    if isinstance(result, func.HttpResponse):
        return result
    if req.method == "GET":
        return _json(200, result)
    status_url = f"/api/instances/{quote(str(result), safe='')}"  # callers know the host; a Host header may name any
    body = {"instance_id": result, "status_url": status_url}
    return _json(202, body, {"Location": status_url, "Retry-After": "10"})


def _refusal(error: MeshwardError, route: str) -> func.HttpResponse:
    log(CallRefused(route=route, reason=error.reason, error=error.message))
    body = {"reason": error.reason, "message": error.message}
    if isinstance(error, Unauthenticated):
        return _json(401, body, {"WWW-Authenticate": "Bearer"})
    if isinstance(error, Misconfigured):  # only the log may say which setting it is
        body["message"] = "the app lacks settings; its log says which"
        return _json(500, body)
    if isinstance(error, Unreadable):
        return _json(500, body)
    if isinstance(error, TemporaryError):
        return _json(503, body, {"Retry-After": str(int(error.retry_after or 30))})
    return _json(404 if isinstance(error, NotFound) else 409 if isinstance(error, Conflict) else 400, body)


def _json(status: int, body: object, headers: dict[str, str] | None = None) -> func.HttpResponse:
    return func.HttpResponse(
        msgspec.json.encode(body), status_code=status, headers=headers, mimetype="application/json"
    )
