"""Whether Linkerd's injector gives a pod its proxy, by the annotation `linkerd.io/inject`.

A pod's own value counts before its namespace's. Both `enabled` and `ingress` ask for a proxy, any other value asks for
none (Linkerd docs, proxy injection).
"""

from collections.abc import Iterable

from shared.domain.restores.manifest import Object

INJECT = "linkerd.io/inject"
_WITH_PROXY = ("enabled", "ingress")


def asks_for_proxy(metadata: Object, *, default: bool = False) -> bool:
    """Whether a pod or namespace of this metadata asks for a proxy; `default` is what holds if it says nothing."""
    value = (metadata.get("annotations") or {}).get(INJECT)
    return default if value is None else value in _WITH_PROXY


def injected_namespaces(namespaces: Iterable[Object]) -> set[str]:
    """The names of the namespaces that ask for proxies."""
    return {namespace["metadata"]["name"] for namespace in namespaces if asks_for_proxy(namespace["metadata"])}
