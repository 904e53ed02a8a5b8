"""The status of a pod, as its kubelet writes it from the states of its containers."""

from collections.abc import Callable
from typing import Any, NamedTuple

from local.cloud.kubernetes.objects import Object

type State = Callable[[Object], Object]
_INITIALIZED: Object = {"terminated": {"exitCode": 0, "reason": "Completed"}}


class Exit(NamedTuple):
    """How a program in a container ends: exit code and termination message, after so many virtual seconds."""

    code: int
    message: str = ""
    seconds: float = 1.0


def shown(pod: Object, *, ready: bool, state: State, restarts: int, phase: str) -> dict[str, Any]:
    """The fields of a status in which each container has the state that `state` gives."""
    spec = pod["spec"]
    return {
        "phase": phase,
        "conditions": _conditions(ready),
        "containerStatuses": [_container(c, ready, state(c), restarts) for c in spec.get("containers", ())],
        "initContainerStatuses": [
            _container(c, ready, state(c), restarts) if is_sidecar(c) else _container(c, True, _INITIALIZED, 0)
            for c in spec.get("initContainers", ())
        ],
    }


def with_state(pod: Object, name: str, state: Object, **more: Object) -> dict[str, Any]:
    """The fields of the status once the container `name`, no longer ready, has come to a state."""
    statuses = [
        {**s, "ready": False, "started": False, "state": state, **more} if s["name"] == name else s
        for s in pod["status"]["containerStatuses"]
    ]
    return {"containerStatuses": statuses, "conditions": _conditions(ready=False)}


def stopped(pod: Object, state: Object, phase: str, **status: str) -> dict[str, Any]:
    """The fields of the status of a pod that has ended: what ran until then has come to `state`."""
    fields = {
        field: [
            {**s, "ready": False, "started": False, "state": s["state"] if "terminated" in s["state"] else state}
            for s in pod["status"].get(field, ())
        ]
        for field in ("containerStatuses", "initContainerStatuses")
    }
    return {**fields, "conditions": _conditions(ready=False), "phase": phase, **status}


def exit_codes(pod: Object) -> list[int | None]:
    """How the containers beside the native sidecars ended; None for one that runs."""
    states = [s["state"] for s in pod["status"]["containerStatuses"]]
    return [state["terminated"]["exitCode"] if "terminated" in state else None for state in states]


def restart_count(pod: Object) -> int:
    return max((c["restartCount"] for c in pod["status"].get("containerStatuses", ())), default=0)


def is_sidecar(container: Object) -> bool:
    """Whether an init container is a native sidecar."""
    return bool(container.get("restartPolicy") == "Always")


def _conditions(ready: bool) -> list[Object]:
    reached = {"PodScheduled": True, "Initialized": True, "ContainersReady": ready, "Ready": ready}
    return [{"type": type, "status": "True" if holds else "False"} for type, holds in reached.items()]


def _container(container: Object, ready: bool, state: Object, restarts: int) -> Object:
    return {
        "name": container["name"],
        "image": container.get("image", ""),
        "imageID": "",
        "ready": ready,
        "started": ready,
        "restartCount": restarts,
        "state": state,
    }
