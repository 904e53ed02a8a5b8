"""Writes that a cluster must refuse Meshward's verifier, by which it shows that its admission policies act.

Each goes against one line of a policy of infra/cluster/base and is harmless otherwise. All are dry runs, in
a namespace where nothing runs.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Literal

import msgspec

from shared.domain.errors import PermanentError
from shared.domain.restores.calls import ALLOWED, WorkloadCall, pod_of
from shared.domain.restores.isolation import isolating_policy
from shared.domain.restores.manifest import VERIFIES_LABEL
from shared.domain.restores.rungs import ISOLATION

SELFTEST = "verify-selftest"
CONFINED, PLAIN = "meshward-copies-confined", "meshward-plain-pods-only"
OWN, RESERVED = "meshward-own-namespaces-only", "meshward-reserved"
_REFUSED_LABEL = "meshward.io/refused"

type Object = dict[str, Any]


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A write that must be refused."""

    what: str  # for people
    kind: Literal["Namespace", "Pod", "NetworkPolicy", "ServiceAccount"]
    object: Object
    policies: tuple[str, ...]  # of which one refuses it: where two do, an API server names either


def plain_pod(namespace: str, image: str) -> Object:
    """A pod as Meshward makes it."""
    call = WorkloadCall(
        name="meshward-selftest",
        namespace=namespace,
        rung=ISOLATION,
        about="",
        account=ALLOWED,
        image=image,
        command=("curl", "--version"),
        speaks="command",
        injected=False,
    )
    pod: Object = pod_of(call, "selftest")
    return pod


def unconfined_pod(namespace: str, image: str) -> Refusal:
    """A pod that `meshward-copies-confined` refuses for its label alone."""
    pod = plain_pod(namespace, image)
    pod["metadata"]["labels"][_REFUSED_LABEL] = "true"
    return Refusal(what="a pod that asks to be refused", kind="Pod", object=pod, policies=(CONFINED,))


def refusals(image: str) -> list[Refusal]:
    """All of them; `image` is one that the policy lists."""
    elsewhere = {"metadata": {"name": "meshward-elsewhere", "labels": {VERIFIES_LABEL: "selftest"}}}
    refused, exempt = _namespace("verify-refused"), _namespace("verify-open")
    exempt["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "privileged"
    return [
        *(Refusal(what=what, kind="Pod", object=pod, policies=(PLAIN, CONFINED)) for what, pod in _pods(image)),
        unconfined_pod(SELFTEST, image),
        Refusal(what="a namespace of another name", kind="Namespace", object=elsewhere, policies=(OWN,)),
        Refusal(what="a namespace without pod security", kind="Namespace", object=exempt, policies=(OWN,)),
        Refusal(what="the namespace that nobody makes", kind="Namespace", object=refused, policies=(RESERVED,)),
        Refusal(what="an open network policy", kind="NetworkPolicy", object=_open_policy(), policies=(OWN,)),
        Refusal(what="another service account", kind="ServiceAccount", object=_account(), policies=(OWN,)),
    ]


def require_refused(cluster: str, unproven: Sequence[str]) -> None:
    """Raise PermanentError that names what a cluster's admission policies don't do."""
    if unproven:
        message = f"admission policies don't act in cluster {cluster}: {'; '.join(unproven[:5])}"
        raise PermanentError("PoliciesMissing", message)


def _pods(image: str) -> list[tuple[str, Object]]:
    """Pods that differ from the plain one in one thing each."""
    spec: dict[str, Object] = {
        "the node's network": {"hostNetwork": True},
        "a node by name": {"nodeName": "any"},
        "a directory of the node": {"volumes": [{"name": "node", "hostPath": {"path": "/"}}]},
        "a network volume": {"volumes": [{"name": "nfs", "nfs": {"server": "nfs.invalid", "path": "/"}}]},
        "a Secret": {"volumes": [{"name": "secret", "secret": {"secretName": "any"}}]},
        "a toleration of all taints": {"tolerations": [{"operator": "Exists"}]},
        "pull secrets": {"imagePullSecrets": [{"name": "any"}]},
        "sysctls": {"securityContext": {"sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "0"}]}},
        "another account": {"serviceAccountName": "default"},
        "no deadline": {"activeDeadlineSeconds": 86_400},
    }
    container: dict[str, Object] = {
        "capabilities": {"securityContext": {"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}}},
        "root": {"securityContext": {"runAsNonRoot": False, "runAsUser": 0}},
        "privileges": {"securityContext": {"privileged": True, "allowPrivilegeEscalation": True}},
        "a port of the node": {"ports": [{"containerPort": 8080, "hostPort": 8080}]},
        "an image that isn't listed": {"image": "meshward.invalid/any:1"},
        "variables": {"env": [{"name": "ANY", "value": "any"}]},
    }
    finalized, crowded = plain_pod(SELFTEST, image), plain_pod(SELFTEST, image)
    finalized["metadata"]["finalizers"] = ["meshward.io/any"]
    crowded["spec"]["containers"].append({**crowded["spec"]["containers"][0], "name": "any"})
    return [
        ("a pod with a finalizer", finalized),
        ("a pod with another container", crowded),
        *((f"a pod with {what}", _changed(image, change, {})) for what, change in spec.items()),
        *((f"a pod with {what}", _changed(image, {}, change)) for what, change in container.items()),
    ]


def _changed(image: str, spec: Object, container: Object) -> Object:
    pod = deepcopy(plain_pod(SELFTEST, image))
    (own,) = pod["spec"]["containers"]
    context = {**own["securityContext"], **container.get("securityContext", {})}
    pod["spec"] |= {**spec, "containers": [{**own, **container, "securityContext": context}]}
    return pod


def _namespace(name: str) -> Object:
    labels = {VERIFIES_LABEL: "selftest", "pod-security.kubernetes.io/enforce": "baseline"}
    return {"metadata": {"name": name, "labels": labels}}


def _open_policy() -> Object:
    policy = isolating_policy(SELFTEST)
    return {**policy, "spec": {**policy["spec"], "egress": [{}]}}


def _account() -> Object:
    return {"metadata": {"name": "any", "namespace": SELFTEST}}
