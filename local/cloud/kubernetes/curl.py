"""curl 8.17 as far as probes need it: what it asks, when it asks again, and what it writes (curl's manual).

Rules:
- With --retry, it asks again after time-outs and the statuses 408, 429, 500, 502, 503 and 504, with --retry-all-errors
  after every failure, with pauses of 1, 2, 4, … seconds; --max-time is for each of them.
- An HTTP status is no failure, unless --fail is given.
- --write-out is written once, at the end; `%output{path}` sends what follows to a file.
- telnet: ends as soon as it is connected, since a container has no standard input.
"""

import re
from argparse import ArgumentParser, Namespace
from collections import defaultdict
from collections.abc import Callable, Sequence
from math import inf

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.mesh_hooks import CallResult
from local.cloud.kubernetes.network import EMPTY_REPLY, REFUSED, TIMED_OUT, UNRESOLVED, UNTRUSTED, fetch
from local.cloud.kubernetes.objects import Object

_FAILED_STATUS, _RESET = 22, 56
_TRANSIENT = {408, 429, 500, 502, 503, 504}
_CONNECT_SECONDS, _LONGEST_PAUSE = 300.0, 600.0
_FLAGS = """
-s --silent,-S --show-error,-f --fail,-k --insecure,-L --location,-v --verbose,-I --head,-g --globoff,--http1.1,
--retry-all-errors,--retry-connrefused
"""
_VALUES = """
-o --output,-m --max-time,-w --write-out,-H --header,-X --request,-A --user-agent,--url,--connect-timeout,--retry,
--retry-delay,--noproxy
"""
_MESSAGES = {
    UNRESOLVED: "Could not resolve host",
    REFUSED: "Could not connect to server",
    _FAILED_STATUS: "The requested URL returned an error",
    TIMED_OUT: "Operation timed out",
    EMPTY_REPLY: "Empty reply from server",
    UNTRUSTED: "SSL certificate problem: unable to get local issuer certificate",
    _RESET: "Recv failure: Connection reset by peer",
}
_TERM = re.compile(r"%output\{(?:>>)?(?P<file>.*?)\}|%header\{(?P<header>.*?)\}|%\{(?P<variable>.*?)\}|%%|\\[nrt]")
_PLAIN = {"%%": "%", "\\n": "\n", "\\r": "\r", "\\t": "\t"}


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="curl", add_help=False, exit_on_error=False)
    for flag in _FLAGS.replace("\n", "").split(","):
        parser.add_argument(*flag.split(), action="store_true")
    for value in _VALUES.replace("\n", "").split(","):
        parser.add_argument(*value.split())
    parser.add_argument("urls", nargs="*")
    return parser


class Curl:
    """One run of curl in a pod; `ended` gets its exit code and what it wrote, by file ("" for standard output)."""

    def __init__(
        self,
        cluster: SimulatedCluster,
        pod: Object,
        words: Sequence[str],
        ended: Callable[[int, dict[str, str]], object],
    ) -> None:
        self._cluster, self._pod, self._ended = cluster, pod, ended
        self._options, unknown = _parser().parse_known_args(list(words))
        if unknown:
            raise NotImplementedError(f"curl {' '.join(unknown)} isn't simulated")
        self._url = str(self._options.url or self._options.urls[0])
        self._left = int(self._options.retry or 0)
        self._pause = 1.0

    def ask(self) -> None:
        """Ask now; the answer comes after virtual time."""
        answer = fetch(self._cluster, self._pod, self._url)
        longest = min(float(self._options.max_time or inf), float(self._options.connect_timeout or _CONNECT_SECONDS))
        if answer.seconds > longest:
            answer = CallResult(exit_code=TIMED_OUT, seconds=longest)
        self._cluster.clock.after(answer.seconds, lambda: self._answered(answer))

    def _answered(self, answer: CallResult) -> None:
        code = answer.exit_code or (_FAILED_STATUS if self._options.fail and answer.status >= 400 else 0)
        if self._left and self._is_worth_a_retry(answer, code):
            self._left -= 1
            pause = float(self._options.retry_delay or 0) or self._pause
            self._pause = min(self._pause * 2, _LONGEST_PAUSE)
            self._cluster.clock.after(pause, self.ask)
            return
        self._ended(code, written(self._options, answer, code))

    def _is_worth_a_retry(self, answer: CallResult, code: int) -> bool:
        if code == REFUSED:
            return bool(self._options.retry_connrefused or self._options.retry_all_errors)
        return code == TIMED_OUT or answer.status in _TRANSIENT or bool(code and self._options.retry_all_errors)


def written(options: Namespace, answer: CallResult, code: int) -> dict[str, str]:
    """What --write-out writes, by file."""
    files: dict[str, str] = defaultdict(str)
    file, rest = "", options.write_out or ""
    while term := _TERM.search(rest):
        files[file] += rest[: term.start()]
        rest = rest[term.end() :]
        if term["file"]:
            file = term["file"]
        elif term["variable"] == "onerror" and not code:
            return files
        else:
            files[file] += _value(term, answer, code)
    files[file] += rest
    return files


def _value(term: re.Match[str], answer: CallResult, code: int) -> str:
    if term["header"]:
        return answer.headers.get(term["header"].lower(), "")
    match term["variable"]:
        case "http_code" | "response_code":
            return f"{answer.status:03}"
        case "exitcode":
            return str(code)
        case "errormsg":
            return _MESSAGES.get(code, "")
        case None:
            return _PLAIN[term[0]]
    return ""
