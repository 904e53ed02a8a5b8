"""HTTP: start each flow by hand and look at it. Every route asks for a valid Entra token before anything else.

`routes` says which routes there are and what they take; docs/api.md shows it.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import azure.durable_functions as df
import azure.functions as func
import msgspec

from functions import routes, selftest
from functions.engine.client import Client, with_client
from functions.engine.logs import log
from functions.restores import trends, verification
from functions.routes import (
    ApiRoute,
    ClusterQuery,
    ModeQuery,
    Nothing,
    ProtectionBody,
    ReleaseBody,
    RestoresQuery,
    RotationBody,
    VerificationBody,
)
from functions.trust import by_hand, rotation
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
from shared.domain.guard.callers import Unauthenticated
from shared.domain.restores.report import report
from shared.domain.signals import CallAdmitted, CallRefused
from shared.domain.trust.phases import Word
from shared.wiring import services

app = df.Blueprint(http_auth_level=func.AuthLevel.ANONYMOUS)


@dataclass(frozen=True)
class ApiCall[Q, B]:
    """An admitted call: the names in its path, its query and its body, and the URL of the app."""

    path: Mapping[str, str]
    query: Q
    body: B
    url: str
    client: Client


type Handler[Q, B] = Callable[[ApiCall[Q, B]], Awaitable[func.HttpResponse]]


def serves[Q, B](route: ApiRoute[Q, B]) -> Callable[[Handler[Q, B]], Handler[Q, B]]:
    """Register what answers a route; it is reached only with a valid token, and its errors become answers."""

    def register(handle: Handler[Q, B]) -> Handler[Q, B]:
        async def run(req: func.HttpRequest, client: Client) -> func.HttpResponse:
            try:
                caller = await services().identity.caller(req.headers.get("authorization"), services().now())
                log(CallAdmitted(route=route.path, caller=caller.object_id, kind=caller.kind))
                return await handle(_call_of(route, req, client))
            except MeshwardError as error:
                return _refusal(error, route.path)

        run.__name__ = handle.__name__
        app.route(route=route.path, methods=[route.method])(with_client(app)(run))
        return handle

    return register


@serves(routes.SHOW_UPCOMING_ROTATIONS)
async def show_upcoming_rotations(call: ApiCall[Nothing, Nothing]) -> func.HttpResponse:  # noqa: ARG001
    """What is due when, for every trust domain."""
    return _json(200, {"rotations": msgspec.to_builtins(await by_hand.all_upcoming())})


@serves(routes.SHOW_ROTATION_PLAN)
async def show_rotation_plan(call: ApiCall[ModeQuery, Nothing]) -> func.HttpResponse:
    """What the rotation of a root would do."""
    return _json(200, msgspec.to_builtins(await by_hand.planned(call.path["certificate"], call.query.mode)))


@serves(routes.START_ROTATION)
async def start_rotation(call: ApiCall[Nothing, RotationBody]) -> func.HttpResponse:
    """Rotate the trust root whose certificate is named."""
    body, client = call.body, call.client
    if not body.mode:
        return _accepted(call, await rotation.request_rotation(client, body.certificate))
    return _accepted(call, await by_hand.start(client, body.certificate, body.mode, body.plan))


@serves(routes.RESUME_ROTATION)
async def resume_rotation(call: ApiCall[Nothing, Nothing]) -> func.HttpResponse:
    """Look again now, instead of when the pause ends."""
    return _accepted(call, await by_hand.tell(call.client, call.path["instance_id"], Word.RESUME))


@serves(routes.ABORT_ROTATION)
async def abort_rotation(call: ApiCall[Nothing, Nothing]) -> func.HttpResponse:
    """Go back to the old root; possible until retire begins."""
    return _accepted(call, await by_hand.tell(call.client, call.path["instance_id"], Word.ABORT))


@serves(routes.SHOW_PROTECTION_PLAN)
async def show_protection_plan(call: ApiCall[ClusterQuery, Nothing]) -> func.HttpResponse:
    """What protecting a cluster would change."""
    plan = await protection.request_plan(call.query.cluster_id)
    return _json(
        200,
        {"plan": plan.hash, "vault": plan.protection.backup_vault_id, "changes": msgspec.to_builtins(plan.differences)},
    )


@serves(routes.START_PROTECTION)
async def start_protection(call: ApiCall[Nothing, ProtectionBody]) -> func.HttpResponse:
    """Give the cluster its vault."""
    body = call.body
    return _accepted(call, await protection.request_protection(call.client, body.cluster_id, body.plan))


@serves(routes.SHOW_RELEASE_PLANS)
async def show_release_plans(call: ApiCall[ClusterQuery, Nothing]) -> func.HttpResponse:
    """What releasing the vaults of a deleted cluster would delete, a plan for each incarnation."""
    plans = await releases.request_plans(call.query.cluster_id)
    told = [
        {"plan": p.hash, "vault": p.protection.backup_vault_id, "steps": p.steps, "kept_until": p.kept_until}
        for p in plans
    ]
    return _json(200, {"releases": msgspec.to_builtins(told)})


@serves(routes.START_RELEASE)
async def start_release(call: ApiCall[Nothing, ReleaseBody]) -> func.HttpResponse:
    """Release the vault of the named plan."""
    body = call.body
    return _accepted(call, await releases.request_release(call.client, body.cluster_id, body.plan))


@serves(routes.START_VERIFICATION)
async def start_verification(call: ApiCall[Nothing, VerificationBody]) -> func.HttpResponse:
    """Restore the backup of the job, or a point of the item, and check it."""
    body = call.body
    started = await verification.request_by_hand(call.client, body.job_id, body.item_id, body.point_id)
    return _accepted(call, started)


@serves(routes.SHOW_RESTORES)
async def show_restores(call: ApiCall[RestoresQuery, Nothing]) -> func.HttpResponse:
    """How the restores of all items, or of one cluster or account, have fared."""
    return _json(200, msgspec.to_builtins(await trends.shown(call.query.source_id, call.query.days)))


@serves(routes.SHOW_RESTORE_REPORT)
async def show_restore_report(call: ApiCall[RestoresQuery, Nothing]) -> func.HttpResponse:
    """The same as a page with charts."""
    page = report(await trends.shown(call.query.source_id, call.query.days))
    return func.HttpResponse(page, mimetype="text/html")


@serves(routes.SHOW_CENSUS)
async def show_census(call: ApiCall[Nothing, Nothing]) -> func.HttpResponse:  # noqa: ARG001
    """The newest census."""
    return _json(200, msgspec.to_builtins(await census.latest()))


@serves(routes.START_SELFTEST)
async def start_selftest(call: ApiCall[Nothing, Nothing]) -> func.HttpResponse:
    """Try out what the app needs; the instance's output says what is missing and how to mend it."""
    return _accepted(call, await selftest.request(call.client))


@serves(routes.SHOW_INSTANCE)
async def show_instance(call: ApiCall[Nothing, Nothing]) -> func.HttpResponse:
    """Where a flow stands."""
    run = await call.client.state(call.path["instance_id"])
    if run is None:
        raise NotFound("NoSuchInstance", "no flow has this instance id")
    return _json(200, msgspec.to_builtins(run))


def _call_of[Q, B](route: ApiRoute[Q, B], req: func.HttpRequest, client: Client) -> ApiCall[Q, B]:
    said = {name: text for name, text in req.params.items() if text}
    query = _taken("query", said, route.query, strict=False)
    body = _taken("body", {} if route.body is Nothing else _sent(req), route.body)
    return ApiCall(req.route_params, query, body, req.url.split("/api/")[0], client)


def _sent(req: func.HttpRequest) -> Any:
    try:
        return req.get_json()
    except (ValueError, RecursionError) as error:
        raise PermanentError("MalformedBody", "the body isn't JSON") from error


def _taken[T](part: Literal["query", "body"], said: Any, kind: type[T], *, strict: bool = True) -> T:
    try:
        return converted(said, kind, strict=strict)
    except Misfit as misfit:
        at = f' at "{shown(misfit.at[1:])}"' if misfit.at else ""
        message = f"the {part} is refused{at}: {shown(misfit.why)}"
        raise PermanentError("MalformedQuery" if part == "query" else "MalformedBody", message) from misfit


def _accepted(call: ApiCall[Any, Any], instance_id: str) -> func.HttpResponse:
    status_url = f"{call.url}/api/instances/{instance_id}"
    return _json(
        202, {"instance_id": instance_id, "status_url": status_url}, {"Location": status_url, "Retry-After": "10"}
    )


def _refusal(error: MeshwardError, route: str) -> func.HttpResponse:
    log(CallRefused(route=route, reason=error.reason, error=error.message))
    body = {"reason": error.reason, "message": error.message}
    if isinstance(error, Unauthenticated):
        return _json(401, body, {"WWW-Authenticate": "Bearer"})
    if isinstance(error, Misconfigured):  # which setting it is, is for whoever reads the log
        body["message"] = "the app lacks settings; its log says which"
        return _json(500, body)
    if isinstance(error, Unreadable):
        return _json(500, body)
    if isinstance(error, TemporaryError):
        return _json(503, body, {"Retry-After": str(int(error.retry_after or 30))})
    return _json(404 if isinstance(error, NotFound) else 409 if isinstance(error, Conflict) else 400, body)


def _json(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(body), status_code=status, headers=headers, mimetype="application/json")
