"""What Linkerd lets backup workloads reach, and by whom they may be reached (Linkerd docs: policy, EgressNetwork).

Rules:
- Nothing leaves the namespace for outside the cluster but TLS to the hosts that are named, on port 443. Linkerd knows a
  host by the SNI alone, and binds only pods that have a proxy: a NetworkPolicy stands beside this (infra/cluster).
- An EgressNetwork without `networks` takes everything outside Linkerd's clusterNetworks. One that reaches into those
  isn't accepted, nor are its routes: private addresses are the NetworkPolicy's part.
- The node's metadata endpoint is outside them too and stays closed: its tokens are the node's, not the workload's.
- The port named `backup` of backup workloads takes calls of backup workloads alone.
- Linkerd acts by a route once its status says Accepted, which it does for TLSRoute v1alpha2 alone: Gateway API's
  experimental channel.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from shared.domain.vaults.binding import ACCOUNT, NAMESPACE, MeshBinding, Object, policy

_EGRESS = "azure-backup"
_GROUP = "policy.linkerd.io"


def _identity(trust_domain: str) -> str:
    return f"{ACCOUNT}.{NAMESPACE}.serviceaccount.identity.linkerd.{trust_domain}"


def _policies(hosts: Sequence[str]) -> list[Object]:
    network = {**_ref("EgressNetwork", _EGRESS), "port": 443}
    return [
        policy("MeshTLSAuthentication", "backup", identityRefs=[{"kind": "ServiceAccount", "name": ACCOUNT}]),
        policy("Server", "backup", podSelector={}, port="backup", accessPolicy="deny"),
        policy(
            "AuthorizationPolicy",
            "backup",
            targetRef=_ref("Server", "backup"),
            requiredAuthenticationRefs=[_ref("MeshTLSAuthentication", "backup")],
        ),
        policy("EgressNetwork", _EGRESS, trafficPolicy="Deny"),
        policy("TLSRoute", _EGRESS, parentRefs=[network], hostnames=[*hosts], rules=[{"backendRefs": [network]}]),
    ]


def _pending(found: Sequence[Object]) -> str:
    """The first that Linkerd has not accepted, with what it says about it."""
    for reported in found:
        if reported["kind"] in ("EgressNetwork", "TLSRoute"):
            conditions = [c for c in _conditions(reported.get("status") or {}) if c["type"] == "Accepted"]
            if not conditions or any(c["status"] != "True" for c in conditions):
                message = "; ".join(f"{c['reason']} {c['message']}".strip() for c in conditions)
                name = reported["metadata"]["name"]
                return f"{reported['kind']} {name} isn't accepted: {message or 'Linkerd gives no reason'}"
    return ""


def _conditions(status: dict[str, Any]) -> Iterator[dict[str, str]]:
    for holder in (status, *status.get("parents", ())):
        yield from holder.get("conditions", ())


def _ref(kind: str, name: str) -> dict[str, Any]:
    return {"group": _GROUP, "kind": kind, "name": name}


LINKERD = MeshBinding(identity=_identity, policies=_policies, pending=_pending)
