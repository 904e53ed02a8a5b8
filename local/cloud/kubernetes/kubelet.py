"""The lifecycle of pods: scheduled, started, ready, restarted, ended. Each step takes virtual seconds.

Rules:
- The mesh (`MeshHooks`) decides what runs in a pod beside the workload; readiness waits for it, and so do programs that
  end by themselves (`programs`).
- A container that exits is restarted with a growing pause (CrashLoopBackOff), unless the pod's restartPolicy says
  otherwise. A pod ends when all its containers have: a native sidecar ends with it, a proxy among the containers keeps
  running.
- A pod that reaches its activeDeadlineSeconds ends as Failed. One without room, or whose image can't be
  pulled, stays Pending.
- Other pods of Jobs succeed after the seconds in annotation `local/run-seconds` (default 60); other pods run until
  deleted, unless they carry it too.
"""

import zlib
from collections.abc import Callable
from functools import partial

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.objects import Object, has_ended
from local.cloud.kubernetes.pod_status import Exit, exit_codes, restart_count, shown, stopped, with_state
from local.cloud.kubernetes.programs import program
from local.cloud.kubernetes.store import WatchEvent

NODES = 3
RUN_SECONDS = "local/run-seconds"
_JOB_SECONDS = 60.0
_START_SECONDS = 2.0  # plus up to 3 more, by pod
_READY_SECONDS = 2.0
_PROBE_SECONDS = 5.0
_END_SECONDS = 3.0
_PULL_SECONDS = 30.0
_BACKOFF_SECONDS, _LONGEST_BACKOFF_SECONDS = 10.0, 300.0
_KILLED = 137
_TOO_LONG = "Pod was active on the node longer than the specified deadline"


class Kubelet:
    """All kubelets of a cluster."""

    def __init__(self, cluster: SimulatedCluster) -> None:
        self.cluster = cluster
        self._ending: set[str] = set()

    def changed(self, change: WatchEvent) -> None:
        """Start a pod that was added, and end one that is being deleted."""
        if change.kind.name != "Pod":
            return
        pod, uid = change.object, change.object["metadata"]["uid"]
        if change.type == "ADDED":
            self._after(_START_SECONDS + spread(pod, 3.0), pod, self._start)
        elif change.type == "DELETED":
            self._ending.discard(uid)
            if self.cluster.mesh:
                self.cluster.mesh.stop(pod)
        elif pod["spec"].get("nodeName") in self.cluster.lost_nodes:
            return
        elif "deletionTimestamp" in pod["metadata"] and uid not in self._ending:
            self._ending.add(uid)
            grace = min(_END_SECONDS, pod["spec"].get("terminationGracePeriodSeconds", 30))
            self.cluster.clock.after(grace, lambda: self._remove(pod))

    def _after(self, seconds: float, pod: Object, step: Callable[[Object], object]) -> None:
        def go() -> None:
            current = self.cluster.current(pod)
            lost = current and current["spec"].get("nodeName") in self.cluster.lost_nodes
            if current and not has_ended(current) and not lost:
                step(current)

        self.cluster.clock.after(seconds, go)

    def _remove(self, pod: Object) -> None:
        current = self.cluster.current(pod)
        if current:
            self.cluster.remove(current)

    def _start(self, pod: Object) -> None:
        """Schedule the pod, if nothing did, and start its containers."""
        reason = self._unschedulable_reason(pod)
        if reason:
            waiting = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": reason}
            self.cluster.set_status(pod, conditions=[waiting])
            self._after(_PROBE_SECONDS, pod, self._start)
            return
        node = pod["spec"].get("nodeName") or self._node_for(pod)
        pod = self.cluster.update({**pod, "spec": {**pod["spec"], "nodeName": node}})
        first = "startTime" not in pod["status"]
        if first:
            pod = self.cluster.set_status(pod, startTime=self.cluster.now(), podIP=self.cluster.address())
            if "activeDeadlineSeconds" in pod["spec"]:
                self._after(pod["spec"]["activeDeadlineSeconds"], pod, self._expire)
        self._run(pod, restarts=0 if first else restart_count(pod) + 1)

    def _node_for(self, pod: Object) -> str:
        living = [name for name in map(node_name, range(NODES)) if name not in self.cluster.lost_nodes]
        return living[int(spread(pod, len(living)))]

    def _unschedulable_reason(self, pod: Object) -> str:
        """Why no node takes the pod: a claim that isn't bound, or no room."""
        if not all(map(self._is_bound, _claims(pod))):
            return "pod has unbound immediate PersistentVolumeClaims"
        return f"0/{NODES} nodes are available: {NODES} Insufficient cpu." if self.cluster.is_full else ""

    def _is_bound(self, claim: tuple[str, str]) -> bool:
        found = self.cluster.find("PersistentVolumeClaim", *claim)
        return bool(found and found.get("status", {}).get("phase") == "Bound")

    def _run(self, pod: Object, *, restarts: int) -> None:
        """Start the containers, as soon as their images are there."""
        if any(c.get("image") in self.cluster.unpullable for c in pod["spec"].get("containers", ())):
            self._show(pod, ready=False, state=self._unpulled, restarts=restarts, phase="Pending")
            self._after(_PULL_SECONDS, pod, lambda pod: self._run(pod, restarts=restarts))
            return
        running = {"running": {"startedAt": self.cluster.now()}}
        self._show(pod, ready=False, state=lambda _: running, restarts=restarts)
        if self.cluster.mesh:
            self.cluster.mesh.start(pod)
        self._after(_READY_SECONDS, pod, self._probe)
        seconds = pod["metadata"].get("annotations", {}).get(RUN_SECONDS)
        if seconds or (_is_of_job(pod) and not self._ends_by_itself(pod)):
            self._after(float(seconds or _JOB_SECONDS), pod, self._succeed)

    def _unpulled(self, container: Object) -> Object:
        image = container.get("image", "")
        if image not in self.cluster.unpullable:
            return {"waiting": {"reason": "ContainerCreating"}}
        return {"waiting": {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{image}"'}}

    def _probe(self, pod: Object) -> None:
        mesh, restarts = self.cluster.mesh, restart_count(pod)
        failure = mesh.failure(pod) if mesh else ""
        if failure:
            waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": failure}}
            self._show(pod, ready=False, state=lambda _: waiting, restarts=restarts)
            self._after(_backoff(restarts), pod, self._start)
        elif mesh and not mesh.ready(pod):
            self._after(_PROBE_SECONDS, pod, self._probe)
        else:
            state = pod["status"]["containerStatuses"][0]["state"]
            self._show(pod, ready=True, state=lambda _: state, restarts=restarts)
            self._begin(pod)

    def _begin(self, pod: Object) -> None:
        """Begin the programs that end by themselves."""
        for container in pod["spec"].get("containers", ()):
            run = program(self.cluster, pod, container)
            if run:
                run(partial(self._exited, pod, container["name"], restart_count(pod)))

    def _ends_by_itself(self, pod: Object) -> bool:
        return any(program(self.cluster, pod, container) for container in pod["spec"].get("containers", ()))

    def _exited(self, pod: Object, name: str, restarts: int, exit: Exit) -> None:
        current = self.cluster.current(pod)
        if current is None or has_ended(current) or restart_count(current) != restarts:
            return
        ended = self._terminated(exit.code, exit.message)
        policy = current["spec"].get("restartPolicy", "Always")
        if policy == "Always" or (policy == "OnFailure" and exit.code):
            waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
            self.cluster.set_status(current, **with_state(current, name, waiting, lastState=ended))
            self._after(_backoff(restarts), current, self._start)
            return
        current = self.cluster.set_status(current, **with_state(current, name, ended))
        codes = exit_codes(current)
        if None not in codes:
            self._end(current, "Failed" if any(codes) else "Succeeded")

    def _terminated(self, code: int, message: str = "") -> Object:
        message_field = {"message": message} if message else {}
        reason = "Error" if code else "Completed"
        return {"terminated": {"exitCode": code, "reason": reason, "finishedAt": self.cluster.now(), **message_field}}

    def restart(self, pod: Object) -> None:
        """The containers of a pod exit and start again in place."""
        self._start(pod)

    def _succeed(self, pod: Object) -> None:
        self._end(pod, "Succeeded")

    def _expire(self, pod: Object) -> None:
        self._end(pod, "Failed", code=_KILLED, reason="DeadlineExceeded", message=_TOO_LONG)

    def _end(self, pod: Object, phase: str, *, code: int = 0, **status: str) -> None:
        self.cluster.set_status(pod, **stopped(pod, self._terminated(code), phase, **status))
        if self.cluster.mesh:
            self.cluster.mesh.stop(pod)

    def _show(
        self, pod: Object, *, ready: bool, state: Callable[[Object], Object], restarts: int, phase: str = "Running"
    ) -> None:
        fields = shown(pod, ready=ready, state=state, restarts=restarts, phase=phase)
        self.cluster.set_status(pod, **fields)


def _claims(pod: Object) -> list[tuple[str, str]]:
    """The persistent volume claims that the pod mounts, by namespace and name."""
    volumes = [v["persistentVolumeClaim"] for v in pod["spec"].get("volumes", ()) if "persistentVolumeClaim" in v]
    return [(pod["metadata"]["namespace"], v["claimName"]) for v in volumes]


def _is_of_job(pod: Object) -> bool:
    return any(owner["kind"] == "Job" for owner in pod["metadata"].get("ownerReferences", ()))


def _backoff(restarts: int) -> float:
    return float(min(_BACKOFF_SECONDS * 2**restarts, _LONGEST_BACKOFF_SECONDS))


def node_name(number: int) -> str:
    return f"aks-nodepool1-vmss00000{number}"


def spread(pod: Object, seconds: float) -> float:
    """A part of `seconds` that is the pod's own, the same in every run."""
    return zlib.crc32(pod["metadata"]["uid"].encode()) % 1000 / 1000 * seconds
