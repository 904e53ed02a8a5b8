"""The hooks by which a service mesh takes part in the lifecycle of pods and in calls between them."""

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from local.cloud.kubernetes.objects import Object


@dataclass(frozen=True, kw_only=True)
class CallResult:
    """How a call ends: an HTTP status, or none and curl's exit code; so many seconds after it began."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    exit_code: int = 0
    seconds: float = 0.1


class PodCall(NamedTuple):
    """A call from a pod to a port of another; without a server, `otherwise` is what the network answers."""

    client: Object
    server: Object | None
    port: int
    path: str
    is_http: bool
    otherwise: CallResult


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
