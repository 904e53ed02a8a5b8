"""The HTTP API of the Durable extension: the URLs that a check-status response hands out.

Rules (Durable Functions HTTP API reference): the status of a running instance is 202 with its Location, of an ended one
200; a command is 202, 404 for an unknown instance, 410 for one that has ended.
"""

import json
from urllib.parse import unquote

import durabletask.internal.orchestrator_service_pb2 as pb
from aiohttp import web

from local.host.durable import DurableExtension, OrchestrationState
from local.host.engine import LOCAL_CALL, Engine, EngineRefused

PREFIX = "/runtime/webhooks/durabletask/instances/"


def serve_instances(durable: DurableExtension, request: web.Request, body: bytes) -> web.Response:
    """Answer a request below `PREFIX`."""
    instance_id, *command = (unquote(part) for part in request.rel_url.raw_path[len(PREFIX) :].split("/"))
    instance = durable.instance(instance_id)
    if instance is None:
        return web.Response(status=404)
    if command:
        return _command(durable.engine, instance, command, request.query.get("reason", ""), body)
    if request.method == "DELETE":
        purged = durable.engine.PurgeInstances(pb.PurgeInstancesRequest(instanceId=instance_id), LOCAL_CALL)
        return web.json_response({"instancesDeleted": purged.deletedInstanceCount})
    return _status(instance, request)


def _status(instance: OrchestrationState, request: web.Request) -> web.Response:
    failed_as_500 = request.query.get("returnInternalServerErrorOnFailure", "").lower() == "true"
    status = 500 if instance.status == "Failed" and failed_as_500 else 200 if instance.ended else 202
    headers = {} if instance.ended else {"Location": str(request.url), "Retry-After": "10"}
    content = {
        "name": instance.name,
        "instanceId": instance.id,
        "runtimeStatus": instance.status,
        "input": instance.input if request.query.get("showInput", "true").lower() == "true" else None,
        "customStatus": instance.custom_status,
        "output": instance.output if instance.failure is None else instance.failure,
        "createdTime": f"{instance.created:%Y-%m-%dT%H:%M:%SZ}",
        "lastUpdatedTime": f"{instance.updated:%Y-%m-%dT%H:%M:%SZ}",
    }
    return web.json_response(content, status=status, headers=headers)


def _command(
    engine: Engine, instance: OrchestrationState, command: list[str], reason: str, body: bytes
) -> web.Response:
    name = instance.id
    match command:
        case ["raiseEvent", event] if not instance.ended:
            request = pb.RaiseEventRequest(instanceId=name, name=event)
            request.input.value = body.decode() or "null"
            engine.RaiseEvent(request, LOCAL_CALL)
        case ["terminate"] if not instance.ended:
            end = pb.TerminateRequest(instanceId=name, recursive=True)
            end.output.value = json.dumps(reason)
            engine.TerminateInstance(end, LOCAL_CALL)
        case ["suspend"] if not instance.ended:
            engine.SuspendInstance(pb.SuspendRequest(instanceId=name), LOCAL_CALL)
        case ["resume"] if not instance.ended:
            engine.ResumeInstance(pb.ResumeRequest(instanceId=name), LOCAL_CALL)
        case ["rewind"] | ["restart"]:
            return _again(engine, name, command[0])
        case _:
            return web.Response(status=410 if instance.ended else 404)
    return web.Response(status=202)


def _again(engine: Engine, name: str, command: str) -> web.Response:
    try:
        if command == "rewind":
            engine.RewindInstance(pb.RewindInstanceRequest(instanceId=name), LOCAL_CALL)
        else:
            engine.RestartInstance(pb.RestartInstanceRequest(instanceId=name), LOCAL_CALL)
    except EngineRefused as refused:
        return web.Response(status=412, text=str(refused))
    return web.Response(status=202)
