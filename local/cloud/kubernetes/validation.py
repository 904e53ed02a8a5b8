"""What an API server refuses to store, in its words; only of kinds where somebody may trip over it."""

from local.cloud.kubernetes.errors import StatusError
from local.cloud.kubernetes.objects import Object

_TLS = "kubernetes.io/tls"


def check(old: Object | None, new: Object) -> None:
    """Raises StatusError Invalid for a new object, or the new version of an old one, with all that is wrong."""
    found, name = _problems(old, new), new["metadata"]["name"]
    if found:
        listed = found[0] if len(found) == 1 else f"[{', '.join(found)}]"
        raise StatusError(422, "Invalid", f'{new["kind"]} "{name}" is invalid: {listed}')


def _problems(old: Object | None, new: Object) -> list[str]:
    return _of_secret(old or new, new) if (new["apiVersion"], new["kind"]) == ("v1", "Secret") else []


def _of_secret(old: Object, new: Object) -> list[str]:
    found = []
    if new.get("type") == _TLS:
        found += [f"data[{part}]: Required value" for part in ("tls.crt", "tls.key") if part not in new.get("data", {})]
    if new.get("type", "Opaque") != old.get("type", "Opaque"):
        found.append(f'type: Invalid value: "{new.get("type", "Opaque")}": field is immutable')
    return found
