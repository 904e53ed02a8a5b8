"""What runs in restored namespaces, judged from Kubernetes objects as the API server sends them.

A restored workload counts only if it joined the mesh again: its proxy is ready, which takes a certificate from the
mesh's identity, and trusts a current root (Linkerd docs: proxies read their roots once, at start). Two roots are in
force while a rotation goes on; a proxy that started in its midst may know only one of them.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from shared.domain.restores.confined import excesses
from shared.domain.restores.injection import asks_for_proxy, injected_namespaces
from shared.domain.restores.manifest import WORKLOADS, ManifestEntry, Object
from shared.domain.trust.certificates import fingerprints

_PROXY = "linkerd-proxy"
_ANCHORS = "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS"
_NO_ROOM = re.compile(r"Insufficient|Too many pods|taint", re.IGNORECASE)  # of the scheduler's messages


class Workloads(msgspec.Struct, frozen=True, kw_only=True):
    """What runs in the restored namespaces; names are `<namespace>/<name>`."""

    pods: int  # how many there are
    meshed: int  # how many of these have a proxy or ought to
    unready: tuple[str, ...] = ()  # pods and workloads
    unbound: tuple[str, ...] = ()  # volume claims that a workload waits for
    unused: tuple[str, ...] = ()  # volume claims that aren't bound, and that nothing which was restored waits for
    bound: int = 0  # how many volume claims are bound
    outside_mesh: tuple[str, ...] = ()  # pods that ought to be in the mesh
    unschedulable: tuple[str, ...] = ()  # pods that no node has room for, which says nothing about the copy
    left_out: tuple[str, ...] = ()  # workloads whose pods are refused, and what they ask for

    @property
    def settled(self) -> bool:
        """Whether waiting changes nothing. Whether a priority is one that a copy doesn't get, time tells."""
        waiting = any(name.endswith("(priority)") for name in self.left_out)
        return not (self.unready or self.unbound or self.outside_mesh or self.unschedulable or waiting)


class IsolatedCopy(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore made: its entries, what runs there (None where nothing does), and the times in its canaries."""

    entries: dict[str, ManifestEntry]
    workloads: Workloads | None = None
    canary_times: dict[str, datetime] = {}

    @property
    def settled(self) -> bool:
        return self.workloads is None or self.workloads.settled


def workloads_of(objects: Mapping[str, Iterable[Object]], bundle: str | None) -> Workloads:
    """Facts of restored workloads; `bundle` is the PEM text of the mesh's current roots, None in a cluster whose mesh
    isn't Meshward's.
    """
    pods = [pod for pod in objects.get("Pod", ()) if not _is_over(pod)]
    roots = fingerprints(bundle or "")
    injected = injected_namespaces(objects.get("Namespace", ()))
    unschedulable = [pod for pod in pods if _is_unschedulable(pod)]
    scheduled = [pod for pod in pods if pod not in unschedulable]
    meshed = [pod for pod in scheduled if bundle is not None and belongs_to_mesh(pod, injected)]
    unready = [_name(pod) for pod in scheduled if not ready(pod)]
    listed = [item for kind in WORKLOADS for item in objects.get(kind, ())]
    incomplete = [item for item in listed if not _complete(item)]
    left_out = {_name(item): found for item in incomplete if (found := excesses(_template(item)))}
    if not unschedulable:
        unready += [_name(item) for item in incomplete if _name(item) not in left_out]
    awaited = {claim for pod in unschedulable for claim in _claims(pod)}
    awaited |= {claim for item in listed if _name(item) in left_out for claim in _awaited_by(item)}
    claims = [c for c in objects.get("PersistentVolumeClaim", ()) if _name(c) not in awaited]
    pending = [_name(c) for c in claims if c.get("status", {}).get("phase") != "Bound"]
    used = {claim for pod in pods for claim in _claims(pod)} | {c for item in listed for c in _awaited_by(item)}
    return Workloads(
        pods=len(pods),
        meshed=len(meshed),
        unready=tuple(unready),
        unbound=tuple(name for name in pending if name in used),
        unused=tuple(name for name in pending if name not in used),
        bound=len(claims) - len(pending),
        outside_mesh=tuple(_name(pod) for pod in meshed if not _is_in_mesh(pod, roots)),
        unschedulable=tuple(_name(pod) for pod in unschedulable),
        left_out=tuple(f"{name} ({', '.join(found)})" for name, found in left_out.items()),
    )


def ready(pod: Object) -> bool:
    """Whether Kubernetes calls the pod ready."""
    conditions = pod.get("status", {}).get("conditions", ())
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _is_over(pod: Object) -> bool:
    """Whether the pod has ended for good. One that failed and has an owner, as an evicted one, is of the past: its
    workload has another one in its place, or isn't complete.
    """
    phase, owned = pod.get("status", {}).get("phase"), pod["metadata"].get("ownerReferences")
    return phase == "Succeeded" or bool(phase == "Failed" and owned)


def _is_unschedulable(pod: Object) -> bool:
    """Whether no node has room for the pod; a pod that waits for a volume isn't meant."""
    conditions = pod.get("status", {}).get("conditions", ())
    messages = [c.get("message", "") for c in conditions if c["type"] == "PodScheduled" and c["status"] == "False"]
    return any(_NO_ROOM.search(message) for message in messages)


def _claims(pod: Object) -> list[str]:
    volumes = pod.get("spec", {}).get("volumes") or []
    claims = [v["persistentVolumeClaim"]["claimName"] for v in volumes if "persistentVolumeClaim" in v]
    return [f"{pod['metadata']['namespace']}/{claim}" for claim in claims]


def _awaited_by(workload: Object) -> list[str]:
    """The claims that are bound only when a workload's pods run; none of one that is to have no pods."""
    metadata, spec = workload["metadata"], workload["spec"]
    if spec.get("replicas") == 0:
        return []
    made = [
        f"{metadata['namespace']}/{claim['metadata']['name']}-{metadata['name']}-{number}"
        for claim in spec.get("volumeClaimTemplates") or ()
        for number in range(spec.get("replicas", 1))
    ]
    return [*made, *_claims({"metadata": metadata, "spec": _template(workload)})]


def _template(workload: Object) -> Object:
    """The spec of a workload's pods."""
    spec: Object = workload["spec"].get("template", {}).get("spec", {})
    return spec


def belongs_to_mesh(pod: Object, injected: Collection[str]) -> bool:
    """Whether the pod has a proxy or ought to; `injected` are the namespaces that ask for one."""
    metadata = pod["metadata"]
    return _proxy(pod) is not None or asks_for_proxy(metadata, default=metadata["namespace"] in injected)


def _is_in_mesh(pod: Object, roots: frozenset[str]) -> bool:
    proxy = _proxy(pod)
    if proxy is None:
        return False
    anchors = next((e.get("value", "") for e in proxy.get("env", ()) if e["name"] == _ANCHORS), "")
    return bool(roots & fingerprints(anchors)) and _proxy_ready(pod)


def _proxy(pod: Object) -> Any:
    spec = pod.get("spec", {})
    containers = [*spec.get("containers", ()), *spec.get("initContainers", ())]
    return next((c for c in containers if c["name"] == _PROXY), None)


def _proxy_ready(pod: Object) -> bool:
    status = pod.get("status", {})
    states = [*status.get("containerStatuses", ()), *status.get("initContainerStatuses", ())]
    return any(s["name"] == _PROXY and s.get("ready") for s in states)


def _complete(workload: Object) -> bool:
    status, spec = workload.get("status", {}), workload.get("spec", {})
    desired = status.get("desiredNumberScheduled", spec.get("replicas", 1))
    return int(status.get("numberReady", status.get("readyReplicas", 0)) or 0) >= int(desired)


def _name(item: Object) -> str:
    return f"{item['metadata']['namespace']}/{item['metadata']['name']}"
