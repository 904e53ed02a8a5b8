"""What the answers to calls of restored workloads say.

Linkerd refuses an HTTP request with 403 and the header l5d-proxy-error, other connections by closing them. curl reports
status, exit code and that header; exit code 28 is a connection that stayed open until curl gave up.
"""

import msgspec

from shared.domain.restore_calls import CONTAINER, Call
from shared.domain.restore_checks import Check, Weight
from shared.domain.restore_manifest import Object

_STAYED_OPEN = "28"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """How a call ended: its exit code (None: it didn't run, `message` says why) and its termination message."""

    exit_code: int | None
    message: str


def answer_of(pod: Object | None) -> Answer | None:
    """How the pod's call ended; None while it may still end."""
    status = (pod or {}).get("status", {})
    states = [c.get("state", {}) for c in status.get("containerStatuses", ()) if c["name"] == CONTAINER]
    ended = next((s["terminated"] for s in states if "terminated" in s), None)
    if ended:
        return Answer(exit_code=ended.get("exitCode", 1), message=ended.get("message") or ended.get("reason", ""))
    if status.get("phase") == "Failed":
        return Answer(exit_code=None, message=status.get("reason") or "the pod failed")
    return None


def excuse_of(pod: Object | None) -> Answer:
    """Why a call has no answer, once nobody waits for it any longer."""
    states = [c.get("state", {}) for c in (pod or {}).get("status", {}).get("containerStatuses", ())]
    reasons = [s["waiting"].get("reason", "") for s in states if "waiting" in s]
    return Answer(exit_code=None, message=next(filter(None, reasons), "it didn't start in time"))


def check_of(call: Call, answer: Answer) -> Check:
    """The rung of the ladder that a call is. A call that couldn't run is no fault of the copy."""
    if answer.exit_code is None:
        finding = f"{call.about} wasn't called: {answer.message}"
        weight: Weight = "unknown" if call.purpose == "application probe" else "finding"
        return Check(name=call.purpose, passed=False, finding=finding, weight=weight)
    passed, said = _SAID[call.speaks](call, answer)
    return Check(name=call.purpose, passed=passed, finding=f"{call.about}: {said}")


def _http(call: Call, answer: Answer) -> tuple[bool, str]:
    status, _, refusal = _reported(answer)
    said = f"HTTP {status} {refusal}".strip()
    if call.purpose == "mesh refusal":
        return status == "403" and bool(refusal), said
    answered = status.isdigit() and int(status) > 0 and not refusal
    return answered and (call.purpose != "application probe" or int(status) < 400), said


def _tcp(call: Call, answer: Answer) -> tuple[bool, str]:
    stayed = _reported(answer)[1] == _STAYED_OPEN
    return stayed is not (call.purpose == "mesh refusal"), "the connection stayed open" if stayed else "it was closed"


def _command(_: Call, answer: Answer) -> tuple[bool, str]:
    return answer.exit_code == 0, f"exit code {answer.exit_code} {answer.message}".strip()


def _reported(answer: Answer) -> tuple[str, str, str]:
    """HTTP status, curl's exit code and the proxy's refusal, as far as they were reported."""
    status, code, refusal, *_ = [*answer.message.strip().split(" ", 2), "", "", ""]
    return status, code, refusal


_SAID = {"http": _http, "tcp": _tcp, "command": _command}
