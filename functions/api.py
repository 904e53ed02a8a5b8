"""HTTP: start each flow by hand and look at it. Every route asks for a valid Entra token before anything else.

GET  /api/plans/rotations
GET  /api/plans/rotations/{certificate}[?mode=compromise]
POST /api/rotations      {"certificate": "<name of a trust root in the key vault>"}
                         with "mode": "compromise" or "replace", and the "plan": "<hash>" that was seen
POST /api/rotations/{instance id}/resume or /abort
GET  /api/plans/protections?cluster_id=<resource id of a managed cluster>
POST /api/protections    {"cluster_id": "<resource id>"}, with "plan": "<hash>" that plan or none
GET  /api/plans/releases?cluster_id=<resource id of a cluster that is gone>
POST /api/releases       {"cluster_id": "<resource id>", "plan": "<hash>"}
POST /api/verifications  {"job_id": "<resource id of a finished backup job>"}
                         or {"item_id": "<resource id of a backup instance or protected item>"}, its latest recovery
                         point or with "point_id": "<name>" that one
GET  /api/restores[?source_id=<resource id of a cluster or storage account>][&days=90]
GET  /api/restores/report  the same as a page with charts
GET  /api/census          which clusters are protected, by what and how well proven, or why not
POST /api/selftest
GET  /api/instances/{id}
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import msgspec

from functions import selftest
from functions.engine.client import Client, with_client
from functions.engine.logs import log
from functions.restores import trends, verification
from functions.trust import by_hand, rotation
from functions.vaults import census, protection, releases
from shared.domain.errors import Conflict, MeshwardError, Misconfigured, NotFound, PermanentError, TemporaryError
from shared.domain.guard.callers import Unauthenticated
from shared.domain.restores.report import report
from shared.domain.restores.trends import Trends
from shared.domain.signals import CallAdmitted, CallRefused
from shared.domain.trust.phases import Word
from shared.wiring import services

app = df.Blueprint(http_auth_level=func.AuthLevel.ANONYMOUS)

type Handler = Callable[[func.HttpRequest, Client], Awaitable[func.HttpResponse]]


def guarded(method: str, route: str) -> Callable[[Handler], Handler]:
    """Register an HTTP function that is reached only with a valid token, and whose errors become answers."""

    def register(handle: Handler) -> Handler:
        async def run(req: func.HttpRequest, client: Client) -> func.HttpResponse:
            try:
                caller = await services().identity.caller(req.headers.get("authorization"), services().now())
                log(CallAdmitted(route=route, caller=caller.object_id, kind=caller.kind))
                return await handle(req, client)
            except MeshwardError as error:
                return _refusal(error, route)

        run.__name__ = handle.__name__
        app.route(route=route, methods=[method])(with_client(app)(run))
        return handle

    return register


@guarded("GET", "plans/rotations")
async def show_upcoming_rotations(req: func.HttpRequest, client: Client) -> func.HttpResponse:  # noqa: ARG001
    """What is due when, for every trust domain."""
    return _json(200, {"rotations": msgspec.to_builtins(await by_hand.all_upcoming())})


@guarded("GET", "plans/rotations/{certificate}")
async def show_rotation_plan(req: func.HttpRequest, client: Client) -> func.HttpResponse:  # noqa: ARG001
    """What the rotation of a root would do; with `mode=compromise`, if it can't be trusted any more."""
    plan = await by_hand.planned(req.route_params["certificate"], req.params.get("mode", ""))
    return _json(200, msgspec.to_builtins(plan))


@guarded("POST", "rotations")
async def start_rotation(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    """Rotate the trust root whose certificate is named."""
    certificate = _field(req, "certificate")
    if "mode" not in req.get_json():
        return _accepted(req, await rotation.request_rotation(client, certificate))
    mode, hash = _field(req, "mode"), _field(req, "plan")
    return _accepted(req, await by_hand.start(client, certificate, mode, hash))


@guarded("POST", "rotations/{instance_id}/resume")
async def resume_rotation(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    """Look again now, instead of when the pause ends."""
    return _accepted(req, await by_hand.tell(client, req.route_params["instance_id"], Word.RESUME))


@guarded("POST", "rotations/{instance_id}/abort")
async def abort_rotation(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    """Go back to the old root; possible until retire begins."""
    return _accepted(req, await by_hand.tell(client, req.route_params["instance_id"], Word.ABORT))


@guarded("GET", "plans/protections")
async def show_protection_plan(req: func.HttpRequest, client: Client) -> func.HttpResponse:  # noqa: ARG001
    """What protecting a cluster would change."""
    plan = await protection.request_plan(req.params.get("cluster_id", ""))
    return _json(
        200, {"plan": plan.hash, "vault": plan.wanted.vault_id, "changes": msgspec.to_builtins(plan.differences)}
    )


@guarded("POST", "protections")
async def start_protection(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    """Give the cluster its vault."""
    cluster = _field(req, "cluster_id")
    plan = _field(req, "plan") if "plan" in req.get_json() else ""
    return _accepted(req, await protection.request_protection(client, cluster, plan))


@guarded("GET", "plans/releases")
async def show_release_plans(req: func.HttpRequest, client: Client) -> func.HttpResponse:  # noqa: ARG001
    """How the vaults of a cluster that is gone would be taken apart, a plan for each of its lives."""
    plans = await releases.request_plans(req.params.get("cluster_id", ""))
    told = [{"plan": p.hash, "vault": p.wanted.vault_id, "steps": p.steps, "kept_until": p.kept_until} for p in plans]
    return _json(200, {"releases": msgspec.to_builtins(told)})


@guarded("POST", "releases")
async def start_release(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    """Take the vault apart whose plan is named."""
    cluster, plan = _field(req, "cluster_id"), _field(req, "plan")
    return _accepted(req, await releases.request_release(client, cluster, plan))


@guarded("POST", "verifications")
async def start_verification(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    """Restore the backup of the job, or a point of the item, and check it."""
    job, item, point = (_optional(req, name) for name in ("job_id", "item_id", "point_id"))
    return _accepted(req, await verification.request_by_hand(client, job, item, point))


@guarded("GET", "restores")
async def show_restores(req: func.HttpRequest, client: Client) -> func.HttpResponse:  # noqa: ARG001
    """How the restores of all items, or of one cluster or account, have fared."""
    return _json(200, msgspec.to_builtins(await _trends(req)))


@guarded("GET", "restores/report")
async def show_restore_report(req: func.HttpRequest, client: Client) -> func.HttpResponse:  # noqa: ARG001
    """The same as a page with charts."""
    return func.HttpResponse(report(await _trends(req)), mimetype="text/html")


@guarded("GET", "census")
async def show_census(req: func.HttpRequest, client: Client) -> func.HttpResponse:  # noqa: ARG001
    """The newest census."""
    return _json(200, msgspec.to_builtins(await census.latest()))


@guarded("POST", "selftest")
async def start_selftest(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    """Try out what the app needs; the instance's output says what is missing and how to mend it."""
    return _accepted(req, await selftest.request(client))


@guarded("GET", "instances/{instance_id}")
async def show_instance(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    """Where a flow stands."""
    run = await client.state(req.route_params["instance_id"])
    if run is None:
        raise NotFound("NoSuchInstance", "no flow has this instance id")
    return _json(200, msgspec.to_builtins(run))


async def _trends(req: func.HttpRequest) -> Trends:
    return await trends.shown(req.params.get("source_id", ""), req.params.get("days", ""))


def _field(req: func.HttpRequest, name: str) -> str:
    value = _body(req).get(name)
    if not isinstance(value, str) or not value:
        raise PermanentError("MalformedBody", f'the body needs a text field "{name}"')
    return value


def _body(req: func.HttpRequest) -> dict[str, Any]:
    try:
        body = req.get_json()
    except ValueError as error:
        raise PermanentError("MalformedBody", "the body isn't JSON") from error
    if not isinstance(body, dict):
        raise PermanentError("MalformedBody", "the body isn't a JSON object")
    return body


def _optional(req: func.HttpRequest, name: str) -> str:
    """A text field of the body, empty where it is left out."""
    body = _body(req)
    return _field(req, name) if name in body else ""


def _accepted(req: func.HttpRequest, instance_id: str) -> func.HttpResponse:
    root = req.url.split("/api/")[0]
    status_url = f"{root}/api/instances/{instance_id}"
    return _json(
        202, {"instance_id": instance_id, "status_url": status_url}, {"Location": status_url, "Retry-After": "10"}
    )


def _refusal(error: MeshwardError, route: str) -> func.HttpResponse:
    log(CallRefused(route=route, reason=error.reason, error=error.message))
    body = {"reason": error.reason, "message": error.message}
    if isinstance(error, Unauthenticated):
        return _json(401, body, {"WWW-Authenticate": "Bearer"})
    if isinstance(error, Misconfigured):  # which setting it is, is for whoever reads the log
        body["message"] = "the app isn't set up completely; its log says what is missing"
        return _json(500, body)
    if isinstance(error, TemporaryError):
        return _json(503, body, {"Retry-After": str(int(error.retry_after or 30))})
    return _json(404 if isinstance(error, NotFound) else 409 if isinstance(error, Conflict) else 400, body)


def _json(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(body), status_code=status, headers=headers, mimetype="application/json")
