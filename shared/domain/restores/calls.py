"""Short-lived pods in the isolated namespaces that call the restored workloads, and what their answers say.

Rules:
- A restored workload is in the mesh only if a handshake with it completes. In each namespace one pod that the mesh
  allows in calls a workload, and one that it doesn't: the first must be answered, the second refused.
- A Server with an AuthorizationPolicy for one mesh identity decides about the called port (Linkerd docs, policy):
  a caller that is answered there has shown a certificate of that identity, and the workload one that the caller trusts.
- Both ask over HTTP, whatever the workload speaks: the proxies decide before it hears of the request, and the path is
  one that an application rather doesn't know than forbids.
- Each pod leaves its answer as its termination message, and nothing of its log.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

import msgspec

from shared.domain.restores.injection import INJECT, injected_namespaces
from shared.domain.restores.manifest import VERIFIES_LABEL, Object
from shared.domain.restores.policy import Probe, VerifyPolicy
from shared.domain.restores.rungs import HANDSHAKE, PROBE, REFUSAL, Rung
from shared.domain.restores.workloads import belongs_to_mesh, ready

ALLOWED, DENIED, CONTAINER = "meshward-probe", "meshward-stranger", "call"
PRIORITY = "meshward-copies"  # the class of infra/cluster/base/copies.yaml, which gives way to all others
ANSWERED_WITHIN = timedelta(minutes=10)
_PATH = "/.well-known/meshward"
_CURL_RETRIES = ("--max-time", "10", "--retry", "5", "--retry-all-errors")
_WRITE_OUT = "%output{/dev/termination-log}%{http_code} %{exitcode} %header{l5d-proxy-error}"
_HTTP = re.compile(r"http|web|api|grpc", re.IGNORECASE)
_POD_LABELS = {  # labels that tell pods of one workload apart
    "pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
}


class WorkloadCall(msgspec.Struct, frozen=True, kw_only=True):
    """One pod to run in an isolated namespace."""

    name: str  # of the pod
    namespace: str  # the isolated one
    rung: Rung  # the check that its answer is
    about: str  # the called workload and port, or the command, as findings name it
    account: str  # service account
    image: str  # of the pod's only container
    command: tuple[str, ...]  # of that container, with its arguments
    speaks: Literal["http", "tcp", "command"]  # what is sent: a GET, a TCP connection, or whatever the command sends
    port: int = 0  # of the called pod where the mesh decides who may call it, else 0
    labels: dict[str, str] = {}  # of the called pod, in the same case
    injected: bool = True  # into the calling pod goes a proxy, where its namespace asks for one


class CallTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A restored pod that can be called."""

    namespace: str  # the isolated one
    workload: str  # name of what the pod belongs to
    ip: str  # of the pod
    port: int  # 0 where it names none
    http: bool  # as far as the port's name tells
    meshed: bool  # it has a proxy or ought to
    labels: dict[str, str]  # those that all pods of the workload have


def calls_of(
    objects: Mapping[str, Iterable[Object]], isolated: Mapping[str, str], knobs: VerifyPolicy, *, meshed: bool
) -> list[WorkloadCall]:
    """What to run for these objects of isolated namespaces; `isolated` maps each source namespace to its copy.

    In a cluster that isn't `meshed` by Meshward's word, nobody's right to call is asked for.
    """
    targets = _targets(objects, meshed=meshed)
    calls = [call for namespace in isolated.values() for call in _mesh_calls(targets, namespace, knobs)]
    probes = [probe for probe in knobs.probes if probe.namespace in isolated]
    return calls + [_probe_call(probe, isolated[probe.namespace], targets, n, knobs) for n, probe in enumerate(probes)]


def objects_of(calls: Sequence[WorkloadCall], name: str) -> list[tuple[str, Any]]:
    """Kinds and objects that the calls need besides their pods; `name` is the verification's."""
    made: dict[tuple[str, str, str], Any] = {}
    for call in calls:
        for kind, body in [("ServiceAccount", _named(call.account, call.namespace)), *_access(call)]:
            made[kind, call.namespace, body["metadata"]["name"]] = body
    return [(kind, _labelled(body, name)) for (kind, _, _), body in made.items()]


def pod_of(call: WorkloadCall, name: str) -> Any:
    """The pod of a call, which any pod security standard admits.

    `meshward-plain-pods-only` in infra/cluster/base/places.yaml admits exactly this: what is new here is allowed there.
    """
    container = {
        "name": CONTAINER,
        "image": call.image,
        "command": list(call.command),
        "terminationMessagePolicy": "File",  # the end of a log may hold what a verdict must not tell
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    spec = {
        "serviceAccountName": call.account,
        "automountServiceAccountToken": True,  # the proxy proves its identity by a token of the account
        "priorityClassName": PRIORITY,
        "restartPolicy": "Never",
        "activeDeadlineSeconds": int(ANSWERED_WITHIN.total_seconds()),
        "containers": [container],
    }
    pod = _labelled({**_named(call.name, call.namespace), "spec": spec}, name)
    if not call.injected:
        pod["metadata"]["annotations"] = {INJECT: "disabled"}
    return pod


def _mesh_calls(targets: Sequence[CallTarget], namespace: str, knobs: VerifyPolicy) -> list[WorkloadCall]:
    meshed = [t for t in targets if t.namespace == namespace and t.meshed]
    target = next(iter(sorted(meshed, key=lambda t: (not t.http, t.workload, t.port))), None)
    if target is None:
        return []
    callers = ((HANDSHAKE, ALLOWED), (REFUSAL, DENIED))
    return [_call(target, account, rung, account, _PATH, knobs) for rung, account in callers]


def _probe_call(
    probe: Probe, namespace: str, targets: Sequence[CallTarget], n: int, knobs: VerifyPolicy
) -> WorkloadCall:
    found = next((t for t in targets if (t.namespace, t.workload) == (namespace, probe.workload)), None)
    nobody = CallTarget(
        namespace=namespace, workload=probe.workload, ip="127.0.0.1", port=0, http=True, meshed=False, labels={}
    )
    target = nobody if probe.command else msgspec.structs.replace(found or nobody, port=probe.port or 0)
    call = _call(target, f"{ALLOWED}-{n}", PROBE, ALLOWED, probe.path, knobs)
    if not probe.command:
        return call
    about = f"{probe.namespace}: {' '.join(probe.command)}"[:200]
    return msgspec.structs.replace(call, about=about, image=probe.image, command=probe.command, speaks="command")


def _call(target: CallTarget, name: str, rung: Rung, account: str, path: str, knobs: VerifyPolicy) -> WorkloadCall:
    url = f"http://{target.ip}:{target.port}{path}" if path else f"telnet://{target.ip}:{target.port}"
    curl = ["curl", "--silent", "--output", "/dev/null", *_CURL_RETRIES, "--write-out", _WRITE_OUT, url]
    return WorkloadCall(
        name=name,
        namespace=target.namespace,
        rung=rung,
        about=f"{target.workload}:{target.port}",
        account=account,
        image=knobs.probe_image,
        command=tuple(curl),
        speaks="http" if path else "tcp",
        port=target.port if target.meshed else 0,
        labels=target.labels if target.meshed else {},
    )


def _targets(objects: Mapping[str, Iterable[Object]], *, meshed: bool) -> list[CallTarget]:
    injected = injected_namespaces(objects.get("Namespace", ()))
    return [
        _target(pod, port, meshed and belongs_to_mesh(pod, injected))
        for pod in objects.get("Pod", ())
        if ready(pod)
        for port in _ports(pod) or [{"containerPort": 0}]
    ]


def _target(pod: Object, port: Object, meshed: bool) -> CallTarget:
    metadata, name = pod["metadata"], f"{port.get('appProtocol', '')} {port.get('name', '')}"
    return CallTarget(
        namespace=metadata["namespace"],
        workload=_workload(pod),
        ip=pod.get("status", {}).get("podIP", ""),
        port=port["containerPort"],
        http=bool(_HTTP.search(name)),
        meshed=meshed and bool(port["containerPort"]),
        labels={key: value for key, value in (metadata.get("labels") or {}).items() if key not in _POD_LABELS},
    )


def _workload(pod: Object) -> str:
    """The name of the workload that the pod belongs to; a ReplicaSet is named after its Deployment."""
    owner = next(iter(pod["metadata"].get("ownerReferences") or ()), None)
    if owner is None:
        return str(pod["metadata"]["name"])
    name = str(owner["name"])
    return name.rpartition("-")[0] if owner["kind"] == "ReplicaSet" else name


def _ports(pod: Object) -> list[Object]:
    ports = [p for c in pod["spec"].get("containers", ()) if c["name"] != "linkerd-proxy" for p in c.get("ports", ())]
    return [port for port in ports if port.get("protocol", "TCP") == "TCP"]


def _access(call: WorkloadCall) -> list[tuple[str, Any]]:
    """What lets one identity alone reach the called port."""
    if not call.port:
        return []
    name, group = f"meshward-{call.about.replace(':', '-')}"[:63], "policy.linkerd.io"
    allowed = {"identityRefs": [{"kind": "ServiceAccount", "name": ALLOWED}]}
    selector = {"podSelector": {"matchLabels": call.labels}, "port": call.port}
    lets_in = {
        "targetRef": {"group": group, "kind": "Server", "name": name},
        "requiredAuthenticationRefs": [{"group": group, "kind": "MeshTLSAuthentication", "name": ALLOWED}],
    }
    policies = [
        ("MeshTLSAuthentication", ALLOWED, allowed),
        ("Server", name, selector),
        ("AuthorizationPolicy", name, lets_in),
    ]
    return [(kind, {**_named(name, call.namespace), "spec": spec}) for kind, name, spec in policies]


def _named(name: str, namespace: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}}


def _labelled(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {**body, "metadata": {**body["metadata"], "labels": {VERIFIES_LABEL: name}}}
