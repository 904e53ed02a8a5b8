"""Whether Linkerd's injector gives a pod its proxy, by the annotation `linkerd.io/inject`.

A pod's own word counts before its namespace's. Both `enabled` and `ingress` ask for a proxy, any other word asks for
none (Linkerd docs, proxy injection).
"""

from collections.abc import Iterable

from shared.domain.restores.manifest import Object

_INJECT = "linkerd.io/inject"
_ASKING = ("enabled", "ingress")


def asks_for_proxy(metadata: Object, *, unless_said: bool = False) -> bool:
    """Whether a pod or namespace of this metadata asks for a proxy; `unless_said` is what holds if it says nothing."""
    word = (metadata.get("annotations") or {}).get(_INJECT)
    return unless_said if word is None else word in _ASKING


def injected_namespaces(namespaces: Iterable[Object]) -> set[str]:
    """The names of the namespaces that ask for proxies."""
    return {namespace["metadata"]["name"] for namespace in namespaces if asks_for_proxy(namespace["metadata"])}
