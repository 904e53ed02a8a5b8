"""The hooks by which a service mesh takes part in the lifecycle of pods and in calls between them."""

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from local.cloud.kubernetes.objects import Object


@dataclass(frozen=True, kw_only=True)
class CallResult:
    """How a call ends."""

    status: int = 0  # of HTTP; 0 without an answer
    headers: dict[str, str] = field(default_factory=dict)
    exit_code: int = 0  # curl's
    seconds: float = 0.1  # after the call began


class PodCall(NamedTuple):
    """A call from a pod to a port of another."""

    client: Object
    server: Object | None  # None if no pod is there
    port: int
    path: str
    is_http: bool  # or a connection that sends nothing
    otherwise: CallResult  # what the network answers without a server


class MeshHooks(Protocol):
    """A service mesh inside one cluster: it sees pods at admission, while they run, and at their end."""

    def admit(self, pod: Object) -> Object: ...
    def start(self, pod: Object) -> None:
        """The pod's containers start, or start again."""

    def failure(self, pod: Object) -> str:
        """Why a container of the pod exits right after its start, or nothing."""
        ...

    def ready(self, pod: Object) -> bool: ...
    def stop(self, pod: Object) -> None: ...
    def metrics(self, pod: Object, port: int) -> str | None: ...
    def carry(self, call: PodCall) -> CallResult:
        """What a call between two pods gets, by their proxies where they have one."""
        ...
