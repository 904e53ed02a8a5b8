"""What is asked about config entries, intentions, services and servers."""

from typing import Any

from local.cloud.consul.datacenter import Datacenter, Registered
from local.cloud.consul.requests import Call
from local.cloud.wire import Reply


def checked(call: Call) -> Reply:
    source, destination = (call.request.query[name] for name in ("source", "destination"))
    call.permissions.require("service", "read", destination)
    return Reply(body={"Allowed": call.about.shared.entries.allowed(source, destination)})


def entry(call: Call) -> Reply:
    _require_entry(call, call.name("kind"), call.name(), "read")
    return Reply(body=call.about.shared.entries.get(call.name("kind"), call.name()))


def write_entry(call: Call) -> Reply:
    _require_entry(call, call.body["Kind"], call.body["Name"], "write")
    return Reply(body=call.about.shared.entries.put(call.body, call.cas))


def delete_entry(call: Call) -> Reply:
    _require_entry(call, call.name("kind"), call.name(), "write")
    deleted = call.about.shared.entries.delete(call.name("kind"), call.name(), call.cas)
    return Reply(body=deleted if call.cas is not None else {})


def _require_entry(call: Call, kind: str, name: str, level: str) -> None:
    call.permissions.require("intention" if kind == "service-intentions" else "service", level, name)


def services(call: Call) -> Reply:
    permissions, names = call.permissions, {name: list[str]() for _, name in _named(call.about)}
    shown = {name: tags for name, tags in names.items() if permissions.has("service", "read", name)}
    return Reply(body={"consul": [], **shown} if permissions.has("service", "read", "consul") else shown)


def _named(datacenter: Datacenter) -> list[tuple[Registered, str]]:
    return [(one, one.service["Service"]) for one in datacenter.catalog.values()]


def service(call: Call) -> Reply:
    may = call.permissions.has("service", "read", call.name())
    return Reply(body=[_instance(one) for one, name in _named(call.about) if name == call.name() and may])


def _instance(found: Registered) -> dict[str, Any]:
    service = found.service
    return {
        "Node": found.node,
        "Address": found.address,
        "ServiceID": service.get("ID") or service["Service"],
        "ServiceName": service["Service"],
        "ServiceKind": service.get("Kind", ""),
        "ServiceAddress": service.get("Address", ""),
        "ServicePort": service.get("Port", 0),
        "ServiceProxy": service.get("Proxy") or {},
        "ServiceConnect": service.get("Connect") or {},
    }


def register(call: Call) -> Reply:
    node, service = call.body["Node"], call.body["Service"]
    call.permissions.require("node", "write", node)
    call.permissions.require("service", "write", service["Service"])
    id = service.get("ID") or service["Service"]
    call.about.catalog[node, id] = Registered(node, call.body["Address"], service)
    return Reply(body=True)


def leader(call: Call) -> Reply:
    return Reply(body=f"{call.about.name}-server:8300" if call.about.has_leader else "")


def health(call: Call) -> Reply:
    call.permissions.require("operator", "read")
    server = {"Name": f"{call.about.name}-server", "Version": call.about.version, "Healthy": True, "Voter": True}
    return Reply(body={"Healthy": True, "FailureTolerance": 0, "Servers": [server]})
