"""Answers of an API server: objects, and Status objects for what went wrong or left nothing to show."""

from local.cloud.kubernetes.errors import StatusError
from local.cloud.kubernetes.kinds import ResourceType, details
from local.cloud.kubernetes.objects import Object
from local.cloud.wire import Reply


def reply(body: Object, status: int = 200) -> Reply:
    return Reply(status=status, body=body, headers={"Content-Type": "application/json"})


def success(kind: ResourceType, name: str, status: int = 200) -> Reply:
    return reply(
        {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details(kind, name)},
        status,
    )


def refusal(error: StatusError) -> Reply:
    return reply(failure(error), error.code)


def failure(error: StatusError) -> Object:
    """The Status object of a refusal."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": error.message,
        "reason": error.reason,
        "details": error.details,
        "code": error.code,
    }
