"""What an API server refuses to store, in its words; only of kinds where somebody may trip over it."""

from typing import Any

Object = dict[str, Any]

_TLS = "kubernetes.io/tls"


def problems(old: Object | None, new: Object) -> list[str]:
    """What is wrong with a new object, or with the new version of an old one."""
    return _of_secret(old or new, new) if (new["apiVersion"], new["kind"]) == ("v1", "Secret") else []


def _of_secret(old: Object, new: Object) -> list[str]:
    found = []
    if new.get("type") == _TLS:
        found += [f"data[{part}]: Required value" for part in ("tls.crt", "tls.key") if part not in new.get("data", {})]
    if new.get("type", "Opaque") != old.get("type", "Opaque"):
        found.append(f'type: Invalid value: "{new.get("type", "Opaque")}": field is immutable')
    return found
