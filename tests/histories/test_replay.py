"""Flows in flight go on with new code: it takes the same steps over what earlier versions recorded."""

import base64
from pathlib import Path

import pytest
from durabletask.internal import orchestrator_service_pb2 as pb

from tests.histories.record import FLOWS, FOLDER, turns
from tests.worlds.functions import registered_functions

FUNCTIONS = {f.get_function_name(): f.get_user_function() for f in registered_functions()}


async def replayed(request: pb.OrchestratorRequest, name: str) -> pb.CompleteOrchestrationAction:
    """How the run ends when the code of today goes over its last turn."""
    past, new = turns(request)
    again = pb.OrchestratorRequest(instanceId=request.instanceId, pastEvents=past, newEvents=new)
    answer = await FUNCTIONS[name](base64.b64encode(again.SerializeToString()).decode())
    response = pb.OrchestratorResponse.FromString(base64.b64decode(answer))
    end: pb.CompleteOrchestrationAction
    (end,) = [a.completeOrchestration for a in response.actions if a.HasField("completeOrchestration")]
    return end


def recorded(name: str) -> pb.OrchestratorRequest:
    found = pb.OrchestratorRequest()
    found.ParseFromString(Path(FOLDER, f"{name}.pb").read_bytes())
    return found


@pytest.mark.parametrize("name", FLOWS)
async def test_a_recorded_history_still_ends_as_it_did(name: str) -> None:
    request = recorded(name)
    (ended,) = [e.executionCompleted for e in request.pastEvents if e.HasField("executionCompleted")]
    end = await replayed(request, name)
    assert (end.orchestrationStatus, end.result.value) == (ended.orchestrationStatus, ended.result.value), (
        end.failureDetails.errorMessage
    )


@pytest.mark.parametrize("name", FLOWS)
async def test_a_step_that_was_not_taken_then_is_noticed(name: str) -> None:
    request = recorded(name)
    first = next(e for e in request.pastEvents if e.HasField("taskScheduled"))
    first.taskScheduled.name = "another_step"
    assert (await replayed(request, name)).orchestrationStatus == pb.ORCHESTRATION_STATUS_FAILED
