"""Long-running operations of Azure Backup, and how they have ended."""

import msgspec

from shared.domain.errors import NotConverged
from shared.domain.states import OPERATION


class FoundOperation(msgspec.Struct, frozen=True, kw_only=True):
    """An operation as it stands; `code` names the error of a failed one."""

    state: str
    message: str = ""
    code: str = ""


class OperationResult(msgspec.Struct, frozen=True, kw_only=True):
    """How a request to Azure Backup has ended: well if there is no code."""

    code: str = ""
    message: str = ""


def concluded(label: str, found: FoundOperation) -> OperationResult:
    """What an operation found, once it has ended: its error counts only if it failed."""
    meaning = OPERATION.require_known(label, found.state)
    if meaning == "pending":
        raise NotConverged("UnderWay", f"{label} is under way")
    return (
        OperationResult()
        if meaning == "good"
        else OperationResult(code=found.code or found.state, message=found.message)
    )
