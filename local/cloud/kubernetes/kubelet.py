"""The life of pods: scheduled, started, ready, restarted, ended. Each step takes virtual seconds.

Rules:
- What a pod's containers do beside the workload is the mesh's matter (`Mesh`); readiness waits for it.
- A container that exits right after its start is restarted with a growing pause (CrashLoopBackOff).
- Pods of Jobs succeed after the seconds in annotation `local/run-seconds` (default 60); other pods run until deleted,
  unless they carry it too.
"""

import zlib
from collections.abc import Callable

from local.cloud.kubernetes.cluster import NODES, Change, Cluster, Object

RUN_SECONDS = "local/run-seconds"
_JOB_SECONDS = 60.0
_START_SECONDS = 2.0  # plus up to 3 more, by pod
_READY_SECONDS = 2.0
_PROBE_SECONDS = 5.0
_END_SECONDS = 3.0
_BACKOFF_SECONDS, _BACKOFF_LIMIT = 10.0, 300.0


class Kubelet:
    """All kubelets of a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._ending: set[str] = set()

    def changed(self, change: Change) -> None:
        pod, uid = change.object, change.object["metadata"]["uid"]
        if change.type == "ADDED":
            self._after(_START_SECONDS + spread(pod, 3.0), pod, self._start)
        elif change.type == "DELETED":
            self._ending.discard(uid)
            if self.cluster.mesh:
                self.cluster.mesh.stop(pod)
        elif "deletionTimestamp" in pod["metadata"] and uid not in self._ending:
            self._ending.add(uid)
            self._after(min(_END_SECONDS, pod["spec"].get("terminationGracePeriodSeconds", 30)), pod, self._remove)

    def _after(self, seconds: float, pod: Object, step: Callable[[Object], object]) -> None:
        def go() -> None:
            current = self.cluster.current(pod)
            if current and current["status"]["phase"] not in ("Succeeded", "Failed"):
                step(current)

        self.cluster.clock.after(seconds, go)

    def _remove(self, pod: Object) -> None:
        self.cluster.remove(pod)

    def _start(self, pod: Object) -> None:
        """Schedule the pod, if nothing did, and start its containers; a claim that isn't bound keeps it waiting."""
        if not all(map(self._is_bound, _claims(pod))):
            waiting = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
            self.cluster.set_status(pod, conditions=[waiting])
            self._after(_PROBE_SECONDS, pod, self._start)
            return
        node = pod["spec"].get("nodeName") or f"aks-nodepool1-vmss00000{int(spread(pod, NODES))}"
        pod = self.cluster.update({**pod, "spec": {**pod["spec"], "nodeName": node}})
        first = "startTime" not in pod["status"]
        pod = self.cluster.set_status(pod, startTime=pod["status"].get("startTime", self.cluster.now()))
        restarts = 0 if first else restart_count(pod) + 1
        self._show(pod, ready=False, state={"running": {"startedAt": self.cluster.now()}}, restarts=restarts)
        if self.cluster.mesh:
            self.cluster.mesh.start(pod)
        self._after(_READY_SECONDS, pod, self._probe)
        seconds = pod["metadata"].get("annotations", {}).get(RUN_SECONDS)
        if seconds or any(owner["kind"] == "Job" for owner in pod["metadata"].get("ownerReferences", ())):
            self._after(float(seconds or _JOB_SECONDS), pod, self._succeed)

    def _is_bound(self, claim: tuple[str, str]) -> bool:
        found = self.cluster.find("PersistentVolumeClaim", *claim)
        return bool(found and found.get("status", {}).get("phase") == "Bound")

    def _probe(self, pod: Object) -> None:
        mesh, restarts = self.cluster.mesh, restart_count(pod)
        failure = mesh.failure(pod) if mesh else ""
        if failure:
            waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": failure}}
            self._show(pod, ready=False, state=waiting, restarts=restarts)
            self._after(min(_BACKOFF_SECONDS * 2**restarts, _BACKOFF_LIMIT), pod, self._start)
        elif mesh and not mesh.ready(pod):
            self._after(_PROBE_SECONDS, pod, self._probe)
        else:
            state = pod["status"]["containerStatuses"][0]["state"]
            self._show(pod, ready=True, state=state, restarts=restarts)

    def restart(self, pod: Object) -> None:
        """The containers of a pod exit and start again in place."""
        self._start(pod)

    def _succeed(self, pod: Object) -> None:
        ended = {"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": self.cluster.now()}}
        self._show(pod, ready=False, state=ended, restarts=restart_count(pod), phase="Succeeded")
        if self.cluster.mesh:
            self.cluster.mesh.stop(pod)

    def _show(self, pod: Object, *, ready: bool, state: Object, restarts: int, phase: str = "Running") -> None:
        spec = pod["spec"]
        reached = {"PodScheduled": True, "Initialized": True, "ContainersReady": ready, "Ready": ready}
        self.cluster.set_status(
            pod,
            phase=phase,
            podIP=f"10.244.{int(spread(pod, NODES))}.{int(spread(pod, 250)) + 2}",
            conditions=[{"type": t, "status": "True" if v else "False"} for t, v in reached.items()],
            containerStatuses=[_container(c, ready, state, restarts) for c in spec.get("containers", ())],
            initContainerStatuses=[
                _container(c, ready, state, restarts)
                if c.get("restartPolicy") == "Always"
                else _container(c, True, {"terminated": {"exitCode": 0, "reason": "Completed"}}, 0)
                for c in spec.get("initContainers", ())
            ],
        )


def _claims(pod: Object) -> list[tuple[str, str]]:
    """The persistent volume claims that the pod mounts, by namespace and name."""
    volumes = [v["persistentVolumeClaim"] for v in pod["spec"].get("volumes", ()) if "persistentVolumeClaim" in v]
    return [(pod["metadata"]["namespace"], v["claimName"]) for v in volumes]


def restart_count(pod: Object) -> int:
    return max((c["restartCount"] for c in pod["status"].get("containerStatuses", ())), default=0)


def spread(pod: Object, seconds: float) -> float:
    """A part of `seconds` that is the pod's own, the same in every run."""
    return zlib.crc32(pod["metadata"]["uid"].encode()) % 1000 / 1000 * seconds


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
