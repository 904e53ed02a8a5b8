"""What API servers refuse, as errors that callers tell apart."""

import aiohttp
import msgspec

from shared.domain.errors import PermanentError, TemporaryError, service_code

_CONFLICT = 409


class Unreachable(TemporaryError):
    """The API server didn't answer."""

    def __init__(self, message: str) -> None:
        super().__init__("Unreachable", message)


class Forbidden(TemporaryError):
    """The caller may not do it (401, 403), or not yet: a new role assignment takes minutes to act."""


class Absent(TemporaryError):
    """There is no such object, or its kind isn't served (404)."""


class Exists(TemporaryError):
    """There is an object of that name already (409)."""


class Expired(TemporaryError):
    """The API server no longer has the version of a list whose next page is asked for (410)."""


def refusal(answer: aiohttp.ClientResponse, content: bytes, doing: str) -> PermanentError | TemporaryError:
    """The error for an answer that isn't the one that was asked for; `doing` names the act in its message."""
    status, after = answer.status, answer.headers.get("Retry-After", "")
    message = f"{doing}: {status} {_message(content) or answer.reason}"
    if status in (401, 403):
        return Forbidden("Forbidden", f"{message} (a new role assignment takes minutes to act)")
    if status in (404, 408, 409, 410, 412, 429) or status >= 500:
        error = {404: Absent, 410: Expired}.get(status, TemporaryError)
        error = Exists if status == _CONFLICT and _reason(content) == "AlreadyExists" else error
        return error(service_code(f"Http{status}"), message, float(after) if after.isdigit() else None)
    return PermanentError(service_code(f"Http{status}"), message)


def _message(content: bytes) -> str:
    """What the API server says: which permission is missing, or which field is in the way."""
    return _field_of(content, "message")[:300]


def _reason(content: bytes) -> str:
    return _field_of(content, "reason")


def _field_of(content: bytes, field: str) -> str:
    try:
        return str(msgspec.json.decode(content)[field])
    except (msgspec.DecodeError, TypeError, KeyError):
        return ""
