"""Calls out of an isolated namespace that must fail, before anything is restored into it.

Rules:
- The API server is called by its address: every pod reaches it, unless a network policy is enforced. So no name has to
  be resolved, and no proxy comes between.
- An engine may take a moment to learn of a new pod: who reached the API server is followed by another one.
"""

from collections.abc import Iterable, Sequence

from shared.domain.errors import NotConverged
from shared.domain.restores.answers import Answer
from shared.domain.restores.calls import ALLOWED, WorkloadCall
from shared.domain.restores.rungs import ISOLATION

OUTWARD_TRIES = 3
_API_SERVER = "https://$(KUBERNETES_SERVICE_HOST):$(KUBERNETES_SERVICE_PORT)/"  # which the kubelet fills in
_KILLED = 128  # from here on, exit codes are those of signals
_BLOCKED = (7, 28)  # curl's exit codes: nobody accepted the connection, or answered


def outward_calls(namespaces: Iterable[str], number: int, image: str) -> list[WorkloadCall]:
    """A call out of each of these isolated namespaces; `number` counts the tries."""
    command = ("curl", "--silent", "--output", "/dev/null", "--max-time", "10", _API_SERVER)
    return [
        WorkloadCall(
            name=f"meshward-outward-{number}",
            namespace=namespace,
            rung=ISOLATION,
            about="the API server",
            account=ALLOWED,
            image=image,
            command=command,
            speaks="command",
            injected=False,
        )
        for namespace in namespaces
    ]


def not_closed(calls: Sequence[WorkloadCall], answers: Sequence[Answer | None]) -> str:
    """What speaks against the namespaces being closed, empty if no call got out; raises NotConverged while one has no
    answer yet.
    """
    pairs = [(call.namespace, answer) for call, answer in zip(calls, answers, strict=True)]
    waiting = [namespace for namespace, answer in pairs if answer is None]
    if waiting:
        raise NotConverged("ProvingIsolation", f"calls out of {', '.join(waiting[:5])} are under way")
    found = [f"{namespace}: {_out(answer)}" for namespace, answer in pairs if answer and _out(answer)]
    return "; ".join(found[:5])


def _out(answer: Answer) -> str:
    """How far a call got out; empty if nowhere."""
    if answer.exit_code is None or answer.exit_code >= _KILLED:
        return f"no call could be made: {answer.message}"
    return "" if answer.exit_code in _BLOCKED else f"a pod reaches the API server (curl {answer.exit_code})"
