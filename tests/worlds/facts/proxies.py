"""Proxies and their workloads, as a mesh tells of them."""

from typing import Any

from shared.domain.trust.linkerd.facts import Proxy, Workload
from tests.worlds.times import MINUTE, NOW


def proxy(name: str = "web-1", *roots: str, workload: str = "Deployment/shop/web", **facts: Any) -> Proxy:
    """A proxy that trusts these roots (fingerprints)."""
    defaults = {"namespace": "shop", "created_at": NOW - MINUTE, "started_at": NOW - MINUTE, "roots": frozenset(roots)}
    return Proxy(pod=name, workload=workload, **{**defaults, **facts})


def workload(name: str = "web", kind: str = "Deployment", **facts: Any) -> Workload:
    """A workload at rest, but for these facts."""
    progress = {"rolling": False, "replaced": True, "stuck": False, "obstacle": "", "restarted_at": None}
    defaults = {"namespace": "shop", "replicas": 1, "resource_version": "1", **progress}
    return Workload(kind=kind, name=name, **{**defaults, **facts})
