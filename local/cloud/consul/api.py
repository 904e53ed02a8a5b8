"""The HTTP API of every datacenter under /consul/{datacenter}/v1.

Rules:
- `dc` asks another datacenter through this one; the agent's own paths ignore it.
- Errors are texts. 403 is for tokens, 429 for too many leaves, nearly everything else is 500.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping

from local.cloud.consul import acl_calls, authority_calls, catalog_calls
from local.cloud.consul.datacenter import Datacenter
from local.cloud.consul.errors import ConsulError
from local.cloud.consul.requests import Call, refusal
from local.cloud.wire import CloudRequest, NoAnswer, Reply, Route, Wire

type Handler = Callable[[Call], Reply | Awaitable[Reply]]

_HANDLERS: dict[tuple[str, str], Handler] = {
    ("GET", "connect/ca/roots"): authority_calls.roots,
    ("GET", "agent/connect/ca/leaf/{name}"): authority_calls.leaf,
    ("GET", "connect/ca/configuration"): authority_calls.configuration,
    ("PUT", "connect/ca/configuration"): authority_calls.configure,
    ("GET", "connect/intentions/check"): catalog_calls.checked,
    ("POST", "acl/login"): acl_calls.login,
    ("POST", "acl/logout"): acl_calls.logout,
    ("GET", "acl/tokens"): acl_calls.tokens,
    ("PUT", "acl/token"): acl_calls.token,
    ("PUT", "acl/policy"): acl_calls.policy,
    ("PUT", "acl/auth-method"): acl_calls.write_method,
    ("GET", "acl/auth-method/{name}"): acl_calls.method,
    ("PUT", "acl/binding-rule"): acl_calls.write_rule,
    ("GET", "acl/binding-rules"): acl_calls.rules,
    ("GET", "acl/replication"): acl_calls.replication,
    ("PUT", "agent/token/replication"): acl_calls.replicate,
    ("GET", "config/{kind}/{name}"): catalog_calls.entry,
    ("DELETE", "config/{kind}/{name}"): catalog_calls.delete_entry,
    ("PUT", "config"): catalog_calls.write_entry,
    ("GET", "catalog/services"): catalog_calls.services,
    ("GET", "catalog/service/{name}"): catalog_calls.service,
    ("PUT", "catalog/register"): catalog_calls.register,
    ("GET", "status/leader"): catalog_calls.leader,
    ("GET", "operator/autopilot/health"): catalog_calls.health,
}


class ConsulWire:
    """Answers the calls of all datacenters, by name."""

    def __init__(self, wire: Wire, datacenters: Mapping[str, Datacenter]) -> None:
        self._datacenters = datacenters
        handlers = {**_HANDLERS, ("GET", "catalog/datacenters"): self._listed}
        wire.mount(
            Route(method, f"/consul/{{datacenter}}/v1/{path}", self._serve(handler))
            for (method, path), handler in handlers.items()
        )

    def _serve(self, handler: Handler) -> Callable[[CloudRequest], Awaitable[Reply]]:
        async def serve(request: CloudRequest) -> Reply:
            try:
                reply = handler(self._call(request))
                return await reply if inspect.isawaitable(reply) else reply
            except ConsulError as error:
                return refusal(error)

        return serve

    def _call(self, request: CloudRequest) -> Call:
        here = self._datacenters.get(request.params["datacenter"])
        if here is None or not here.up:
            raise NoAnswer
        call = Call(request, here, self._about(request, here))
        if "/v1/status/" not in request.path:
            call.about.require_leader()
        return call

    def _about(self, request: CloudRequest, here: Datacenter) -> Datacenter:
        name = request.query.get("dc", "")
        if not name or "/v1/agent/" in request.path:
            return here
        about = self._datacenters.get(name)
        if about is None or about.shared is not here.shared:
            raise ConsulError("No path to datacenter")
        if not about.up:
            raise ConsulError("rpc error getting client: failed to get conn: dial tcp: connect: connection refused")
        return about

    def _listed(self, call: Call) -> Reply:
        """Also those that don't answer."""
        shared = call.here.shared
        return Reply(body=sorted(name for name, dc in self._datacenters.items() if dc.shared is shared))
