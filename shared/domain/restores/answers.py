"""What the answers to calls of restored workloads say.

Rules (linkerd2-proxy, see also its issue 2694):
- Linkerd's inbound proxy refuses a request with 403. What the caller's own proxy answers, because it got no connection
  or doesn't trust the certificate that it was shown, is 502 or 504 with the header l5d-proxy-error; from 2.15 on no
  other answer carries that header. A 502 without it comes from beyond the handshake: the workload speaks no HTTP.
- A 403 to whom the mesh lets in may be the application's own word: then nothing is proven.
- A proxy accepts a plain connection before it knows what is behind, which says nothing of the workload.
"""

from typing import NamedTuple

import msgspec

from shared.domain.restores.calls import CONTAINER, WorkloadCall
from shared.domain.restores.manifest import Object
from shared.domain.restores.rungs import HANDSHAKE, PROBE, REFUSAL, CheckResult, Weight

_QUOTED = 200  # characters of what a command has written as its termination message


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


def missing_answer(pod: Object | None) -> Answer:
    """Why a call has no answer, once nobody waits for it any longer."""
    states = [c.get("state", {}) for c in (pod or {}).get("status", {}).get("containerStatuses", ())]
    reasons = [s["waiting"].get("reason", "") for s in states if "waiting" in s]
    return Answer(exit_code=None, message=next(filter(None, reasons), "it didn't start in time"))


def not_called(why: str) -> CheckResult:
    """The rung where no call could be made at all."""
    return HANDSHAKE.check(passed=False, finding=f"no workload could be called: {why}", weight="finding")


def check_of(call: WorkloadCall, answer: Answer) -> CheckResult:
    """The rung of the ladder that a call is. A call that couldn't run is no fault of the copy."""
    if answer.exit_code is None:
        finding = f"{call.about} wasn't called: {answer.message}"
        weight: Weight = "unknown" if call.rung == PROBE else "finding"
        return call.rung.check(passed=False, finding=finding, weight=weight)
    judged = _JUDGES[call.speaks](call, answer)
    return call.rung.check(passed=judged.passed, finding=f"{call.about}: {judged.finding}", weight=judged.weight)


class _Judgement(NamedTuple):
    passed: bool
    finding: str
    weight: Weight = "failure"


def _http(call: WorkloadCall, answer: Answer) -> _Judgement:
    status, _, by_proxy = [*answer.message.strip().split(" ", 2), "", "", ""][:3]
    finding = f"HTTP {status} {by_proxy}".strip() if status else "no answer"
    code = int(status) if status.isdigit() else 0
    if call.rung == REFUSAL:
        return _Judgement(code == 403, finding)
    if call.rung == PROBE:
        return _Judgement(0 < code < 400, finding)
    if code == 403:
        return _Judgement(False, f"{finding}, possibly the application's own answer", "finding")
    return _Judgement(code > 0 and not (code in (502, 504) and by_proxy), finding)


def _tcp(call: WorkloadCall, answer: Answer) -> _Judgement:
    if answer.exit_code != 0:
        return _Judgement(False, f"the connection wasn't accepted (curl {answer.exit_code})")
    if call.port:
        return _Judgement(False, "the mesh's proxy accepts any connection: probe a path, or run a command", "finding")
    return _Judgement(True, "the connection was accepted")


def _command(_: WorkloadCall, answer: Answer) -> _Judgement:
    text = answer.message.strip()[:_QUOTED]
    return _Judgement(answer.exit_code == 0, f"exit code {answer.exit_code} {text}".strip())


_JUDGES = {"http": _http, "tcp": _tcp, "command": _command}
