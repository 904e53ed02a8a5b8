"""The durable engine: durabletask's in-memory back end, with its time and its waiting moved to the virtual clock.

Rules:
- Timers are alarms of the clock; they end with the execution that made them.
- A parent is notified as soon as its child ends, with the child's own error.
- The history of a completed child is dropped; its parent has the result.
- Work is announced, never polled for; `take_work` hands out what can run now.
- Whether an id may run again is decided as on Azure: ended instances are replaceable unless the request's policy
  says otherwise, and an empty policy replaces nothing.
- An instance id has at most 100 characters, as with Durable Task Scheduler (its docs; the refusal is from memory).
- `upstream` lists which internals of the back end it replaces, calls and reads.
- RPCs come on gRPC's threads; everything else belongs to the event loop's thread.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, override

import durabletask.internal.orchestrator_service_pb2 as pb
import grpc
from durabletask.internal import helpers
from durabletask.internal.orchestrator_service_pb2_grpc import add_TaskHubSidecarServiceServicer_to_server
from durabletask.testing.in_memory_backend import InMemoryOrchestrationBackend, OrchestrationInstance

from local.cloud.clock import Alarm, Clock
from local.host import upstream

LONGEST_ID = 100
_ENDED = (pb.ORCHESTRATION_STATUS_COMPLETED, pb.ORCHESTRATION_STATUS_FAILED, pb.ORCHESTRATION_STATUS_TERMINATED)


class EngineRefused(Exception):
    """The engine turned a call down, as a gRPC status would: `code` is its name, NOT_FOUND for example."""

    def __init__(self, code: str, details: str) -> None:
        super().__init__(f"{code}: {details}")
        self.code = code


class _LocalCall:
    """Stands in for the context of a gRPC call when the host itself calls the engine."""

    def abort(self, code: Any, details: str) -> None:
        raise EngineRefused(code.name, details)


LOCAL_CALL: Any = _LocalCall()


class _Doorbell:
    """The back end's wake-up event and its stream's context in one: rings the host, and ends the stream when idle."""

    def __init__(self, ring: Callable[[], object], idle: Callable[[], bool]) -> None:
        self._ring, self._idle = ring, idle
        self._rung = self._drained = False

    def answer(self) -> None:
        self._rung = self._drained = False

    def set(self) -> None:
        if not self._rung:
            self._rung = True
            self._ring()

    def clear(self) -> None:
        pass

    def wait(self, timeout: float | None = None) -> None:  # noqa: ARG002
        self._drained = self._idle()

    def is_active(self) -> bool:
        return not self._drained


class Engine(InMemoryOrchestrationBackend):
    """`on_work` is called on the loop when there may be work, `on_turn` after each turn of an orchestration."""

    def __init__(
        self, clock: Clock, on_work: Callable[[], None], on_turn: Callable[[OrchestrationInstance], None]
    ) -> None:
        upstream.require()
        upstream.tell_time_by(clock)
        super().__init__()
        self._clock, self._on_turn = clock, on_turn
        self._loop = asyncio.get_running_loop()
        self._work_available: Any = _Doorbell(lambda: self._loop.call_soon_threadsafe(on_work), self._idle)
        self._alarms: dict[str, list[Alarm]] = defaultdict(list)
        self._parents: dict[str, tuple[str, int]] = {}
        self._children: dict[str, set[str]] = defaultdict(set)

    @override
    def start(self) -> str:
        """Serve on a free port of loopback; returns the URL that durable clients are given."""
        self._server = grpc.server(ThreadPoolExecutor(max_workers=10, thread_name_prefix="durable"))
        add_TaskHubSidecarServiceServicer_to_server(self, self._server)  # type: ignore[no-untyped-call]
        port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        return f"http://127.0.0.1:{port}"

    @override
    def stop(self, grace: float | None = None) -> None:
        for instance_id in list(self._alarms):
            self._cancel_alarms(instance_id)
        super().stop(grace)

    def take_work(self) -> Iterator[pb.WorkItem]:
        """All orchestrator turns, activities and entity batches that can run now."""
        self._work_available.answer()
        return self.GetWorkItems(pb.GetWorkItemsRequest(), self._work_available)

    def find(self, instance_id: str) -> OrchestrationInstance | None:
        return self._instances.get(instance_id)

    def all(self) -> list[OrchestrationInstance]:
        with self._lock:
            return list(self._instances.values())

    @override
    def StartInstance(self, request: pb.CreateInstanceRequest, context: Any) -> pb.CreateInstanceResponse:
        if not request.HasField("orchestrationIdReusePolicy"):
            request.orchestrationIdReusePolicy.replaceableStatus.extend(_ENDED)
        if len(request.instanceId) > LONGEST_ID:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, _too_long(request.instanceId))
        return super().StartInstance(request, context)

    @override
    def _create_instance_internal(
        self, instance_id: str, name: str, encoded_input: str | None = None, version: str | None = None
    ) -> Any:
        if len(instance_id) > LONGEST_ID:
            raise ValueError(_too_long(instance_id))
        return super()._create_instance_internal(instance_id, name, encoded_input, version)

    @override
    def CompleteOrchestratorTask(self, request: pb.OrchestratorResponse, context: Any) -> pb.CompleteTaskResponse:
        answer = super().CompleteOrchestratorTask(request, context)
        self._work_available.set()  # the back end doesn't announce an instance that waited for its own turn to end
        return answer

    @override
    def _process_create_timer_action(self, instance: OrchestrationInstance, action: pb.OrchestratorAction) -> None:
        fire_at = action.createTimer.fireAt.ToDatetime(tzinfo=UTC)
        instance.history.append(helpers.new_timer_created_event(action.id, fire_at))
        fired = helpers.new_timer_fired_event(action.id, fire_at)
        alarm = self._clock.at(fire_at.timestamp(), lambda: self._deliver(instance.instance_id, fired))
        self._alarms[instance.instance_id].append(alarm)

    @override
    def _process_complete_orchestration_action(
        self, instance: OrchestrationInstance, complete_action: pb.CompleteOrchestrationAction
    ) -> None:
        super()._process_complete_orchestration_action(instance, complete_action)
        self._cancel_alarms(instance.instance_id)
        for child in self._children.pop(instance.instance_id, ()):
            del self._parents[child]

    @override
    def _schedule_delayed_entity_operation(self, entity_id: str, event: pb.HistoryEvent, fire_at: datetime) -> None:
        def queue() -> None:
            with self._lock:
                self._queue_entity_operation(entity_id, event)

        self._loop.call_soon_threadsafe(self._clock.at, fire_at.timestamp(), queue)

    @override
    def _watch_sub_orchestration(self, parent_instance_id: str, sub_instance_id: str, task_id: int) -> None:
        self._parents[sub_instance_id] = (parent_instance_id, task_id)
        self._children[parent_instance_id].add(sub_instance_id)
        parent = pb.ParentInstanceInfo(
            taskScheduledId=task_id,
            orchestrationInstance=pb.OrchestrationInstance(instanceId=parent_instance_id),
        )
        parent.name.value = self._instances[parent_instance_id].name
        for event in self._instances[sub_instance_id].pending_events:
            if event.HasField("executionStarted"):
                event.executionStarted.parentInstance.CopyFrom(parent)

    @override
    def _terminate_instance_internal(self, instance_id: str, output: str | None, recursive: bool = False) -> None:
        super()._terminate_instance_internal(instance_id, output)
        for child in list(self._children[instance_id]) if recursive else []:
            self._terminate_instance_internal(child, output, recursive)

    @override
    def _notify_waiters(self, instance_id: str) -> None:
        super()._notify_waiters(instance_id)
        instance = self._instances[instance_id]
        if instance.status in _ENDED and instance_id in self._parents:
            parent, task_id = self._parents.pop(instance_id)
            self._children[parent].discard(instance_id)
            self._deliver(parent, _child_ended(instance, task_id))
            if instance.status == pb.ORCHESTRATION_STATUS_COMPLETED:
                instance.history.clear()
        self._on_turn(instance)

    def _deliver(self, instance_id: str, event: pb.HistoryEvent) -> None:
        with self._lock:
            instance = self._instances.get(instance_id)
            if instance and instance.status not in _ENDED:
                instance.pending_events.append(event)
                instance.last_updated_at = self._clock.now()
                self._enqueue_orchestration(instance_id)

    def _cancel_alarms(self, instance_id: str) -> None:
        for alarm in self._alarms.pop(instance_id, []):
            alarm.cancel()

    def _idle(self) -> bool:
        """Whether all that is queued waits for a turn in flight."""
        with self._lock:
            return self._orchestration_in_flight.issuperset(self._orchestration_queue)


def _child_ended(child: OrchestrationInstance, task_id: int) -> pb.HistoryEvent:
    if child.status == pb.ORCHESTRATION_STATUS_COMPLETED:
        return helpers.new_sub_orchestration_completed_event(task_id, child.output)
    terminated = pb.TaskFailureDetails(errorType="Terminated", errorMessage=f"{child.instance_id} was terminated")
    failed = pb.SubOrchestrationInstanceFailedEvent(
        taskScheduledId=task_id, failureDetails=child.failure_details or terminated
    )
    return pb.HistoryEvent(eventId=-1, subOrchestrationInstanceFailed=failed)


def _too_long(instance_id: str) -> str:
    return f"The instance id {instance_id} has {len(instance_id)} characters; {LONGEST_ID} are the most."
