"""A call at the servers of a datacenter, and how they answer it."""

from typing import Any

from local.cloud.consul.datacenter import Datacenter
from local.cloud.consul.errors import ConsulError
from local.cloud.consul.permissions import TokenPermissions
from local.cloud.wire import CloudRequest, Reply


class Call:
    """A request to a datacenter's servers."""

    def __init__(self, request: CloudRequest, here: Datacenter, about: Datacenter) -> None:
        self.request, self.here, self.about = request, here, about
        self.secret = request.headers.get("x-consul-token", "")

    @property
    def body(self) -> Any:
        return self.request.body or {}

    @property
    def cas(self) -> int | None:
        return int(self.request.query["cas"]) if "cas" in self.request.query else None

    def name(self, parameter: str = "name") -> str:
        return self.request.params[parameter]

    @property
    def permissions(self) -> TokenPermissions:
        return self.about.shared.acl.permissions(self.secret, self.about.name)


def refusal(error: ConsulError) -> Reply:
    """An error, which Consul says by a text."""
    return Reply(status=error.status, content=error.text.encode(), headers={"Content-Type": "text/plain"})


def indexed(body: Any, index: int) -> Reply:
    """An answer with the index of the state that it is of."""
    return Reply(body=body, headers={"X-Consul-Index": str(index)})
