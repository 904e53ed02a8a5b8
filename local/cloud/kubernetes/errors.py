"""Refusals, as an API server words them."""

from local.cloud.kubernetes.kinds import ResourceType, details
from local.cloud.kubernetes.objects import Object


class StatusError(Exception):
    """A refusal as the API server words it: HTTP code, reason (one CamelCase word), message."""

    def __init__(self, code: int, reason: str, message: str, details: Object | None = None) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.details = code, reason, message, details or {}


def not_served() -> StatusError:
    return StatusError(404, "NotFound", "the server could not find the requested resource")


def not_found(kind: ResourceType, name: str) -> StatusError:
    return StatusError(404, "NotFound", f'{kind.resource} "{name}" not found', details(kind, name))


def already_exists(kind: ResourceType, name: str) -> StatusError:
    return StatusError(409, "AlreadyExists", f'{kind.resource} "{name}" already exists', details(kind, name))


def modified(kind: ResourceType, name: str) -> StatusError:
    return StatusError(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on {kind.resource} "{name}": the object has been modified; '
        "please apply your changes to the latest version and try again",
        details(kind, name),
    )


def require_same(obj: Object, preconditions: Object) -> None:
    """Raises StatusError Conflict where the preconditions of a deletion name another object of the same name."""
    uid = obj["metadata"]["uid"]
    if preconditions.get("uid", uid) != uid:
        message = f"the UID in the precondition ({preconditions['uid']}) does not match the UID in record ({uid})"
        raise StatusError(409, "Conflict", f"Operation cannot be fulfilled: Precondition failed: {message}")


def terminating(kind: ResourceType, namespace: str, name: str) -> StatusError:
    return StatusError(
        403,
        "Forbidden",
        f'{kind.resource} "{name}" is forbidden: unable to create new content in namespace {namespace} '
        "because it is being terminated",
        details(kind, name),
    )


def gone(message: str) -> StatusError:
    return StatusError(410, "Expired", message)


def bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)
