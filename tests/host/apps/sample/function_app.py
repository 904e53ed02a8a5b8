"""A small app that uses each trigger of the host."""

import json
import logging
import os
import time
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import azure.functions as func
from durabletask import task
from durabletask.entities import EntityContext, EntityInstanceId

Steps = Generator[task.Task[Any], Any, Any]

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="hello/{name}", methods=["POST"])
async def hello(req: func.HttpRequest) -> func.HttpResponse:
    answer = {
        "name": req.route_params["name"],
        "query": dict(req.params),
        "body": req.get_body().decode(),
        "url": req.url,
        "time": time.time(),
        "greeting": os.environ["GREETING"],
    }
    headers = {"X-Sample": "yes", "Set-Cookie": "flavour=oat; Path=/v1; Max-Age=60; HttpOnly; SameSite=Lax"}
    return func.HttpResponse(json.dumps(answer), status_code=201, headers=headers)


@app.route(route="hello/world", methods=["POST"])
def world(req: func.HttpRequest) -> str:
    return "literal"


@app.route(route="broken")
async def broken(req: func.HttpRequest) -> func.HttpResponse:
    raise RuntimeError("not today")


@app.route(route="die")
async def die(req: func.HttpRequest) -> func.HttpResponse:
    os._exit(1)


@app.route(route="start/{name}/{id}")
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    instance_id = await client.schedule_new_orchestration(
        req.route_params["name"], instance_id=req.route_params["id"], input=req.get_json() if req.get_body() else None
    )
    return client.create_check_status_response(req, instance_id)


@app.route(route="once/{id}")
@app.durable_client_input(client_name="client")
async def once(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    import grpc
    from durabletask.internal.orchestrator_service_pb2 import OrchestrationIdReusePolicy

    try:
        await client.schedule_new_orchestration(
            "greet", instance_id=req.route_params["id"], reuse_id_policy=OrchestrationIdReusePolicy()
        )
    except grpc.aio.AioRpcError as error:
        return func.HttpResponse(error.code().name, status_code=409)
    return func.HttpResponse(status_code=202)


@app.event_grid_trigger(arg_name="event")
async def on_event(event: func.EventGridEvent) -> None:
    if event.get_json().get("fail"):
        raise ValueError("bad event")
    logging.info("event %s of %s", event.id, event.event_type)


@app.timer_trigger(arg_name="tick", schedule="0 0 */6 * * *")
async def sweep(tick: func.TimerRequest) -> None:
    logging.info("tick at %.0f", time.time())


@app.orchestration_trigger(context_name="context")
def greet(context: task.OrchestrationContext, what: str) -> Steps:
    return (yield context.call_activity("say", input=what))


@app.orchestration_trigger(context_name="context")
def fan_out(context: task.OrchestrationContext, width: int) -> Steps:
    results = yield task.when_all([context.call_activity("say", input=number) for number in range(width)])
    return len(results)


@app.orchestration_trigger(context_name="context")
def wait(context: task.OrchestrationContext, days: int) -> Steps:
    began = context.current_utc_datetime
    context.set_custom_status("waiting")
    yield context.create_timer(timedelta(days=days))
    return [began.isoformat(), context.current_utc_datetime.isoformat(), context.parent_instance_id]


@app.orchestration_trigger(context_name="context")
def parent(context: task.OrchestrationContext, days: int) -> Steps:
    return (yield context.call_sub_orchestrator("wait", input=days, instance_id=f"{context.instance_id}-child"))


@app.orchestration_trigger(context_name="context")
def parent_of_failure(context: task.OrchestrationContext, _: None) -> Steps:
    try:
        yield context.call_sub_orchestrator("failing", input=0)
    except task.TaskFailedError as error:
        return [error.details.error_type, error.details.message]


@app.orchestration_trigger(context_name="context")
def failing(context: task.OrchestrationContext, _: None) -> Steps:
    yield context.call_activity("fail", input="the disk is full")


@app.orchestration_trigger(context_name="context")
def approval(context: task.OrchestrationContext, _: None) -> Steps:
    timeout = context.create_timer(timedelta(days=2))
    answer: task.Task[str] = context.wait_for_external_event("approve")
    first = yield task.when_any([answer, timeout])
    return answer.get_result() if first is answer else "nobody answered"


@app.orchestration_trigger(context_name="context")
def lonely(context: task.OrchestrationContext, _: None) -> Steps:
    yield context.call_activity("nobody", input=0)


@app.orchestration_trigger(context_name="context")
def counting(context: task.OrchestrationContext, steps: int) -> Steps:
    counter = EntityInstanceId("counter", context.instance_id)
    for _ in range(steps):
        total = yield context.call_entity(counter, "add", 2)
    return total


@app.entity_trigger(context_name="context")
def counter(context: EntityContext, amount: int) -> int:
    total = context.get_state(int, 0) + amount
    context.set_state(total)
    return total


@app.orchestration_trigger(context_name="context")
def countdown(context: task.OrchestrationContext, left: int) -> Steps:
    yield context.create_timer(timedelta(hours=1))
    if left > 1:
        context.continue_as_new(left - 1)
    return "lift-off"


@app.orchestration_trigger(context_name="context")
def renew(context: task.OrchestrationContext, hours: int) -> Steps:
    deadline = context.create_timer(timedelta(hours=hours))
    yield context.call_activity("say", input="on we go")
    if hours == 1:
        return context.continue_as_new(10)
    yield deadline


@app.activity_trigger(input_name="what")
def say(what: object) -> str:
    return f"said {what}"


@app.activity_trigger(input_name="why")
def fail(why: str) -> None:
    raise ValueError(why)
