"""The Durable extension's side of the host: work items become invocations, and their answers go back to the engine.

Rules:
- Time is held from the moment the engine has work until its answer is taken.
- Ten pieces of work run at once: Azure's default for activities on one instance.
- An activity that raises fails its task; the text "Type: message" is split into error type and message.
- A name that no function has fails the task or the instance, as on Azure, instead of waiting for ever.
"""

import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import durabletask.internal.orchestrator_service_pb2 as pb
from durabletask.internal.helpers import convert_to_entity_batch_request
from durabletask.testing.in_memory_backend import OrchestrationInstance

from local.cloud.clock import Clock
from local.host.engine import LOCAL_CALL, Engine
from local.host.process import InvocationFailed, WorkerLost
from local.host.protocol import Function, Value

_STATUS = {
    pb.ORCHESTRATION_STATUS_PENDING: "Pending",
    pb.ORCHESTRATION_STATUS_RUNNING: "Running",
    pb.ORCHESTRATION_STATUS_SUSPENDED: "Suspended",
    pb.ORCHESTRATION_STATUS_COMPLETED: "Completed",
    pb.ORCHESTRATION_STATUS_FAILED: "Failed",
    pb.ORCHESTRATION_STATUS_TERMINATED: "Terminated",
}
CONCURRENT_WORK_ITEMS = 10
_KINDS = {"activityTrigger": "activity", "orchestrationTrigger": "orchestration", "entityTrigger": "entity_name"}


@dataclass(frozen=True, kw_only=True)
class OrchestrationState:
    """An orchestration as the engine sees it."""

    id: str
    name: str
    status: str  # as the Durable HTTP API names it
    payloads: dict[str, str | None]  # JSON of input, output and custom_status, which are decoded when they are read
    failure: str | None  # "Type: message"
    created: datetime
    updated: datetime

    @property
    def ended(self) -> bool:
        return self.status in ("Completed", "Failed", "Terminated")

    @cached_property
    def input(self) -> Any:
        return _decoded(self.payloads["input"])

    @cached_property
    def output(self) -> Any:
        return _decoded(self.payloads["output"])

    @cached_property
    def custom_status(self) -> Any:
        return _decoded(self.payloads["custom_status"])


class DurableExtension:
    """`invoke` runs a function with the data of its trigger and returns its value (InvocationFailed if it raised)."""

    def __init__(self, clock: Clock, invoke: Callable[[Function, Value], Any]) -> None:
        self.engine = Engine(clock, self._fetch_work, self._after_turn)
        self._clock, self._invoke = clock, invoke
        self._functions: dict[tuple[str, str], Function] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._slots = asyncio.Semaphore(CONCURRENT_WORK_ITEMS)
        self._seen: dict[str, tuple[int, str | None]] = {}
        self._listeners: list[Callable[[OrchestrationState], object]] = []
        self._rpc_url = ""

    def start(self, functions: list[Function]) -> None:
        for function in functions:
            kind = function.trigger["type"]
            if kind in _KINDS:
                name = function.trigger.get(_KINDS[kind]) or function.name
                self._functions[kind, str(name).lower()] = function
        self._rpc_url = self.engine.start()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.engine.stop()

    def client(self, host_url: str) -> Value:
        """What a durable client binding is given."""
        settings = {
            "taskHubName": "local",
            "connectionName": "Storage",
            "requiredQueryStringParameters": "taskHub=local&connection=Storage",
            "baseUrl": f"{host_url}/runtime/webhooks/durabletask",
            "httpBaseUrl": f"{host_url}/runtime/webhooks/durabletask",
            "rpcBaseUrl": self._rpc_url,
        }
        return Value("string", json.dumps(settings))

    def instance(self, instance_id: str) -> OrchestrationState | None:
        found = self.engine.find(instance_id)
        return instance_of(found) if found else None

    def listen(self, callback: Callable[[OrchestrationState], object]) -> None:
        self._listeners.append(callback)

    def _after_turn(self, instance: OrchestrationInstance) -> None:
        state = (instance.status, instance.custom_status)
        if self._seen.get(instance.instance_id) != state:
            self._seen[instance.instance_id] = state
            for listener in self._listeners:
                listener(instance_of(instance))

    def _fetch_work(self) -> None:
        for item in self.engine.take_work():
            task = self._clock.spawn(self._run_in_turn(item))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run_in_turn(self, item: pb.WorkItem) -> None:
        async with self._slots:
            await self._run(item)

    async def _run(self, item: pb.WorkItem) -> None:
        kind = item.WhichOneof("request")
        if kind == "orchestratorRequest":
            self.engine.CompleteOrchestratorTask(await self._turn(item), LOCAL_CALL)
        elif kind == "activityRequest":
            self.engine.CompleteActivityTask(await self._activity(item.activityRequest), LOCAL_CALL)
        else:
            self.engine.CompleteEntityTask(await self._entity(item), LOCAL_CALL)

    async def _turn(self, item: pb.WorkItem) -> pb.OrchestratorResponse:
        request = item.orchestratorRequest
        instance = self.engine.find(request.instanceId)
        assert instance is not None
        try:
            answer = await self._call("orchestrationTrigger", instance.name, _base64(request))
            response = pb.OrchestratorResponse()
            response.ParseFromString(b64decode(answer))
        except (InvocationFailed, WorkerLost) as problem:
            response = _failed_turn(request.instanceId, _failure(problem))
        response.completionToken = item.completionToken
        return response

    async def _activity(self, request: pb.ActivityRequest) -> pb.ActivityResponse:
        response = pb.ActivityResponse(instanceId=request.orchestrationInstance.instanceId, taskId=request.taskId)
        value = Value("string", request.input.value) if request.HasField("input") else Value()
        try:
            response.result.value = await self._call("activityTrigger", request.name, value)
        except (InvocationFailed, WorkerLost) as problem:
            response.failureDetails.CopyFrom(_failure(problem))
        return response

    async def _entity(self, item: pb.WorkItem) -> pb.EntityBatchResult:
        batch, operations = convert_to_entity_batch_request(item.entityRequestV2)
        name = batch.instanceId.split("@")[1]
        try:
            answer = await self._call("entityTrigger", name, _base64(batch))
            result = pb.EntityBatchResult()
            result.ParseFromString(b64decode(answer))
        except (InvocationFailed, WorkerLost) as problem:
            failed = pb.OperationResult(failure=pb.OperationResultFailure(failureDetails=_failure(problem)))
            result = pb.EntityBatchResult(entityState=batch.entityState, results=[failed] * len(operations))
        del result.operationInfos[:]
        result.operationInfos.extend(operations)
        result.completionToken = item.completionToken
        return result

    async def _call(self, kind: str, name: str, data: Value) -> str:
        function = self._functions.get((kind, name.lower()))
        if function is None:
            raise InvocationFailed(f"ValueError: the function '{name}' doesn't exist or has no {kind}")
        value: Value = await self._invoke(function, data)
        return str(value.content) if value.content is not None else ""


def instance_of(found: OrchestrationInstance) -> OrchestrationState:
    failure = found.failure_details
    return OrchestrationState(
        id=found.instance_id,
        name=found.name,
        status=_STATUS[found.status],
        payloads={"input": found.input, "output": found.output, "custom_status": found.custom_status},
        failure=f"{failure.errorType}: {failure.errorMessage}" if failure else None,
        created=found.created_at,
        updated=found.last_updated_at,
    )


def _decoded(payload: str | None) -> Any:
    try:
        return json.loads(payload) if payload else None
    except ValueError:
        return payload


def _base64(message: Any) -> Value:
    return Value("string", b64encode(message.SerializeToString()).decode())


def _failure(problem: Exception) -> pb.TaskFailureDetails:
    kind, _, message = str(problem).partition(": ")
    details = pb.TaskFailureDetails(errorType=kind, errorMessage=message or kind)
    details.stackTrace.value = getattr(problem, "stack_trace", "")
    return details


def _failed_turn(instance_id: str, failure: pb.TaskFailureDetails) -> pb.OrchestratorResponse:
    end = pb.CompleteOrchestrationAction(orchestrationStatus=pb.ORCHESTRATION_STATUS_FAILED, failureDetails=failure)
    action = pb.OrchestratorAction(id=-1, completeOrchestration=end)
    return pb.OrchestratorResponse(instanceId=instance_id, actions=[action])
