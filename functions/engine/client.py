"""The durable client: how triggers start flows and look at them.

Rules:
- An instance id runs once: the reuse policy names no status whose instance may be replaced. After a failed run,
  `start_again` appends the next number to the id, so that the history of the failed run stays.
- The client connects when it is first used. Most events start nothing, and a connection would be most of their cost.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property
from inspect import Parameter, signature
from typing import Any

import azure.durable_functions as df
import grpc
import msgspec
from durabletask.internal.orchestrator_service_pb2 import OrchestrationIdReusePolicy

from functions.engine.logs import log
from functions.engine.runs import Run, run_of
from shared.domain.resource_id import folded
from shared.domain.signals import AlreadyStarted, FlowStarted, OtherStarted


class Client:
    """The durable client of one invocation, made from the configuration that the host hands over."""

    def __init__(self, configuration: str) -> None:
        self._configuration = configuration

    @cached_property
    def _connected(self) -> df.DurableFunctionsClient:
        return df.DurableFunctionsClient(self._configuration)

    async def start_once(
        self, orchestrator: str, instance_id: str, request: object, *, about: Sequence[str] = ()
    ) -> None:
        """Start an orchestration, unless one has run or runs under this id.

        `about` are the fields that say what it is for: one that is there with another value of theirs is told.
        """
        try:
            await self._connected.schedule_new_orchestration(
                orchestrator,
                input=msgspec.to_builtins(request),
                instance_id=instance_id,
                reuse_id_policy=OrchestrationIdReusePolicy(),
            )
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.ALREADY_EXISTS:
                raise
            log(AlreadyStarted(instance_id=instance_id))
            if not await self._is_for(orchestrator, instance_id, msgspec.to_builtins(request), about):
                log(OtherStarted(instance_id=instance_id, orchestrator=orchestrator))
        else:
            log(FlowStarted(instance_id=instance_id, orchestrator=orchestrator))

    async def _is_for(self, orchestrator: str, instance_id: str, asked: Any, about: Sequence[str]) -> bool:
        found = await self._connected.get_orchestration_state(instance_id, fetch_payloads=True)
        if found is None or found.name != orchestrator:
            return found is None
        started = json.loads(found.serialized_input or "{}")
        return all(_folded(started.get(field)) == _folded(asked.get(field)) for field in about)

    async def start_again(
        self,
        orchestrator: str,
        instance_id: str,
        request: object,
        *,
        completed: bool = False,
        about: Sequence[str] = (),
    ) -> str:
        """Like `start_once`, but after a failed run start another, under the id with the next number; its id.

        With `completed` another one is started after a completed run, too: for callers who see that its goal is undone.
        """
        latest, number = instance_id, 1
        while (run := await self.state(latest)) and (run.failed or (completed and run.completed)):
            number += 1
            latest = f"{instance_id}-{number}"
        await self.start_once(orchestrator, latest, request, about=about)
        return latest

    async def raise_event(self, instance_id: str, name: str) -> None:
        """Raise an external event at an instance."""
        await self._connected.raise_orchestration_event(instance_id, name)

    async def state(self, instance_id: str) -> Run | None:
        """The run with this instance id, None if there never was one."""
        found = await self._connected.get_orchestration_state(instance_id, fetch_payloads=True)
        return run_of(found) if found else None

    async def latest(self, instance_id: str) -> Run | None:
        """The latest of the runs under this instance id and its numbers; None if there never was one."""
        run, number = await self.state(instance_id), 2
        while run and (later := await self.state(f"{instance_id}-{number}")):
            run, number = later, number + 1
        return run

    def close(self) -> None:
        """End the connection, if one was made."""
        if "_connected" in self.__dict__:
            self._connected.schedule_close()


def _folded(value: object) -> str:
    return folded(json.dumps(value, sort_keys=True))


def with_client[R](app: df.Blueprint) -> Callable[[Callable[..., Awaitable[R]]], Any]:
    """Bind a durable client to the parameter `client` of an async function; closed after each invocation."""

    def register(function: Callable[..., Awaitable[R]]) -> Any:
        async def run(client: str, **bound: Any) -> R:
            connection = Client(client)
            try:
                return await function(client=connection, **bound)
            finally:
                connection.close()

        parameters = {**signature(function).parameters, "client": Parameter("client", Parameter.KEYWORD_ONLY)}
        keywords = [parameter.replace(kind=Parameter.KEYWORD_ONLY) for parameter in parameters.values()]
        run.__signature__ = signature(function).replace(parameters=keywords)  # type: ignore[attr-defined]
        run.__annotations__ = {**function.__annotations__, "client": str}
        run.__name__, run.__doc__ = function.__name__, function.__doc__
        return app.generic_input_binding(arg_name="client", type="durableClient")(run)

    return register
