"""What API servers refuse, as errors that callers tell apart.

What an API server says of a Secret isn't repeated: an admission webhook may put what was to be written into its words.
"""

import re
from http import HTTPStatus

import aiohttp
import msgspec

from shared.domain.errors import PermanentError, TemporaryError, service_code, shown
from shared.domain.reasons import WaitingReason

_SECONDS = re.compile(r"\d{1,6}", re.ASCII)
# The reasons that Kubernetes itself gives (metav1.StatusReason); any other one may be anybody's text.
_REASONS = re.compile(
    "AlreadyExists|BadRequest|Conflict|Expired|Forbidden|Gone|InternalError|Invalid|MethodNotAllowed|NotAcceptable"
    "|NotFound|RequestEntityTooLarge|ServerTimeout|ServiceUnavailable|StorageReadError|StoreReadError|Timeout"
    "|TooManyRequests|Unauthorized|Unknown|UnsupportedMediaType"
)

_CONFLICT = 409


class Unreachable(TemporaryError):
    """The API server didn't answer."""

    def __init__(self, message: str, reason: WaitingReason = "Unreachable") -> None:
        super().__init__(reason, message)


class Untrusted(Unreachable):
    """The server's certificate isn't one of the cluster's authority, for its name, now."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "ApiServerUntrusted")


class OutOfBounds(PermanentError):
    """What a cluster gives is larger, deeper or of another form than Meshward reads."""

    def __init__(self, message: str) -> None:
        super().__init__("AnswerUnreadable", message)


class Forbidden(TemporaryError):
    """The caller may not do it (401, 403), or not yet: a new role assignment takes minutes to act."""


class Absent(TemporaryError):
    """There is no such object, or its kind isn't served (404)."""


class Exists(TemporaryError):
    """There is an object of that name already (409)."""


class Expired(TemporaryError):
    """The API server no longer has the version of a list whose next page is asked for (410)."""


def refusal(
    answer: aiohttp.ClientResponse, content: bytes, doing: str, *, secret: bool
) -> PermanentError | TemporaryError:
    """The error for an answer that isn't the one that was asked for; `doing` names the act in its message."""
    status, after = answer.status, answer.headers.get("Retry-After", "")
    message = f"{doing}: {status} {_quoted(content, secret=secret) or _phrase(status)}"
    if status in (401, 403):
        return Forbidden("Forbidden", f"{message} (a new role assignment takes minutes to act)")
    if status in (404, 408, 409, 410, 412, 429) or status >= 500:
        error = {404: Absent, 410: Expired}.get(status, TemporaryError)
        error = Exists if status == _CONFLICT and _status_in(content).reason == "AlreadyExists" else error
        return error(service_code(f"Http{status}"), message, float(after) if _SECONDS.fullmatch(after) else None)
    return PermanentError(service_code(f"Http{status}"), message)


def _quoted(content: bytes, *, secret: bool) -> str:
    """What the API server says: which permission is missing, or which field is in the way; of a Secret, the reason."""
    found = _status_in(content)
    if secret:
        return found.reason if _REASONS.fullmatch(found.reason) else ""
    return shown(found.message)


class _Status(msgspec.Struct):
    message: str = ""
    reason: str = ""


def _status_in(content: bytes) -> _Status:
    try:
        return msgspec.json.decode(content, type=_Status, strict=False)
    except (msgspec.MsgspecError, RecursionError):
        return _Status()


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus else ""
