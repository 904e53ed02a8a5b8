"""A thin Functions host: it runs any v2 Python app on Microsoft's runtime library and durabletask's engine.

Rules:
- One process and one event loop hold the host, the engine and the simulated cloud; the worker is a child process.
- Time is held while a request, an invocation or a work item is in flight. So a function that waits inside an invocation
  for something that needs time waits for ever: orchestrators wait, functions don't.
- It shows what the app does in the real runtime; it shows nothing of the .NET host, its extension bundle, the
  storage behind Durable Functions, scale-out or keys.
"""

import json
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import durabletask.internal.orchestrator_service_pb2 as pb
from aiohttp import web

from local.cloud.clock import Clock
from local.host import management, triggers
from local.host.durable import DurableExtension, OrchestrationState, instance_of
from local.host.process import Hook, HostFailed, InvocationFailed, Launch, WorkerProcess, started
from local.host.protocol import Function, Value

_DURABLE = ("orchestrationTrigger", "activityTrigger", "entityTrigger")
_SUPPORTED = (*_DURABLE, "httpTrigger", "eventGridTrigger", "timerTrigger", "durableClient", "http")


class FunctionsHost:
    """Runs the app in `folder`.

    `environ` is the worker's whole environment, `on_log` gets each line it writes, `launch` starts its process.
    """

    def __init__(
        self,
        folder: Path,
        environ: dict[str, str],
        clock: Clock,
        *,
        on_log: Callable[[str], object] | None = None,
        launch: Launch = started,
    ) -> None:
        self._folder, self._environ, self._clock = folder, environ, clock
        self.log: deque[str] = deque(maxlen=2_000)
        self._on_log = on_log or (lambda _line: None)
        self._worker = WorkerProcess(folder, environ, clock, self._write_log, launch)
        self._durable = DurableExtension(clock, self._run_durable)
        self._routes: list[triggers.HttpRoute] = []
        self._subscribers: dict[str, Function] = {}
        self._timers: dict[str, triggers.Timer] = {}
        self._runner: web.AppRunner | None = None
        self.functions: dict[str, str] = {}
        self.url = ""

    async def start(self, port: int = 0) -> None:
        """Load the app and serve it on `url`; raises HostFailed with the reason when it doesn't load."""
        try:
            functions = await self._worker.start()
            self._bind([one for one in functions if self._is_served(one)])
            await self._listen(port)
        except BaseException:
            await self.stop()
            raise
        for timer in self._timers.values():
            timer.start()

    async def stop(self) -> None:
        """End the worker and free the ports."""
        for timer in self._timers.values():
            timer.stop()
        await self._durable.stop()
        await self._worker.stop()
        if self._runner:
            await self._runner.cleanup()

    async def invoke_timer(self, name: str) -> None:
        """Run a timer function now; raises InvocationFailed if it fails."""
        with self._clock.busy():
            await self._timers[name].run()

    def instance(self, instance_id: str) -> OrchestrationState | None:
        return self._durable.instance(instance_id)

    def instances(self) -> list[OrchestrationState]:
        """All orchestrations, oldest first."""
        return [instance_of(one) for one in self._durable.engine.all()]

    def histories(self) -> list[pb.OrchestratorRequest]:
        """The history of each orchestration since it last continued as new, as the engine sends it to a worker."""
        return [
            pb.OrchestratorRequest(instanceId=one.instance_id, pastEvents=one.history)
            for one in self._durable.engine.all()
        ]

    def on_change(self, callback: Callable[[OrchestrationState], object]) -> None:
        """Call back when an instance's status or custom status changed."""
        self._durable.listen(callback)

    def on_invocation(self, hook: Hook | None) -> None:
        """Call `hook(function, "before" | "after")` around each delivery to the worker; True loses its answer.

        With `kill_worker` inside, this kills the worker at a precise moment.
        """
        self._worker.hook = hook

    @property
    def inputs(self) -> dict[str, Value]:
        """The inputs, by their names, of the delivery that the hook is called for."""
        return self._worker.inputs

    def kill_worker(self) -> None:
        """SIGKILL the worker now; the host starts another and sends again what was durable."""
        self._worker.kill()

    @property
    def worker_pid(self) -> int:
        return self._worker.pid

    def worker_rss(self) -> float:
        """The worker's resident memory in MiB."""
        status = Path(f"/proc/{self.worker_pid}/status").read_text()
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS:"))

    def worker_cpu_seconds(self) -> float:
        """The time that the worker has spent on a CPU."""
        fields = Path(f"/proc/{self.worker_pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _bind(self, functions: list[Function]) -> None:
        self.functions = {one.name: str(one.trigger["type"]) for one in functions}
        by_kind: dict[str, list[Function]] = {}
        for one in functions:
            by_kind.setdefault(str(one.trigger["type"]), []).append(one)
        prefix = self._route_prefix()
        routes = [triggers.HttpRoute(one, prefix) for one in by_kind.get("httpTrigger", [])]
        self._routes = sorted(routes, key=lambda one: one.rank)
        self._subscribers = {one.name.lower(): one for one in by_kind.get("eventGridTrigger", [])}
        self._timers = {one.name: self._timer(one) for one in by_kind.get("timerTrigger", [])}
        self._durable.start(functions)

    def _timer(self, function: Function) -> triggers.Timer:
        try:
            return triggers.Timer(function, self._environ, self._clock, self._run)
        except ValueError as error:
            raise HostFailed(f"the timer {function.name} has no valid schedule: {error}") from error

    def _route_prefix(self) -> str:
        path = self._folder / "host.json"
        settings: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return str(settings.get("extensions", {}).get("http", {}).get("routePrefix", "api"))

    def _is_served(self, function: Function) -> bool:
        """An app setting can turn a function off, as on Azure (AzureWebJobs.<function>.Disabled)."""
        return self._environ.get(f"AzureWebJobs.{function.name}.Disabled") != "true" and self._is_supported(function)

    def _is_supported(self, function: Function) -> bool:
        unknown = [str(one["type"]) for one in function.bindings if one["type"] not in _SUPPORTED]
        if unknown:
            self._write_log(f"{function.name} isn't served: this host has no {', '.join(unknown)}")
        return not unknown

    async def _listen(self, port: int) -> None:
        app = web.Application(client_max_size=100 * 2**20)
        app.router.add_route("*", "/{tail:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _serve(self, request: web.Request) -> web.Response:
        body = await request.read()
        with self._clock.busy():
            return await self._answer(request, body)

    async def _answer(self, request: web.Request, body: bytes) -> web.Response:
        path = request.path.lower()
        if path == "/runtime/webhooks/eventgrid":
            return await triggers.serve_event_grid(self._run, self._subscribers, request, body)
        if path.startswith(management.PREFIX):
            return management.serve_instances(self._durable, request, body)
        for route in self._routes:
            params = route.match(request.method, request.path)
            if params is not None:
                return await triggers.serve_http(self._run, route, params, request, body)
        return web.Response(status=404)

    async def _run_durable(self, function: Function, data: Value) -> Value:
        return await self._run(function, data, {})

    async def _run(self, function: Function, data: Value, metadata: dict[str, Value]) -> Value:
        inputs = {function.trigger["name"]: data}
        for binding in function.bindings:
            if binding["type"] == "durableClient":
                inputs[binding["name"]] = self._durable.client(self.url)
        try:
            durable = function.trigger["type"] in _DURABLE
            return await self._worker.invoke(function, inputs, metadata, durable=durable)
        except InvocationFailed as failed:
            self._write_log(f"{function.name} failed: {failed}\n{failed.stack_trace}")
            raise

    def _write_log(self, line: str) -> None:
        self.log.append(line)
        self._on_log(line)
