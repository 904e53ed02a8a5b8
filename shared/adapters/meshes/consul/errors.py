"""What Consul refuses, as errors that callers tell apart. It says most of it by 500 and a text.

TemporaryError
├── ConsulForbidden           the login lacks a permission (403)
│   └── TokenUnknown    these servers don't know the login's token: not yet, or not any more (403)
├── ConsulAbsent              there is no such thing (404)
├── NoLeader            the datacenter, or the way to it, doesn't answer now: what was sent may have been done or not
├── CaBusy              another write of the CA configuration is under way
├── CsrLimit            more leaves are asked for than the datacenter signs in a second (429)
├── CannotSign          the datacenter has no key and certificate to sign leaves with
└── EntryChanged             somebody else has changed the config entry since it was read

What a text quotes at length isn't repeated, as Consul puts private keys that it can't read between quotation marks.
"""

import re
from collections.abc import Collection
from http import HTTPStatus

from shared.domain.errors import PermanentError, TemporaryError, service_code, shown
from shared.domain.reasons import RefusedReason

_SIGNING_PAUSE = 30.0  # seconds over which Consul spreads the renewals of leaves
_LONG_QUOTE = re.compile(r'"(?:[^"\\]|\\.){40,}"?', re.DOTALL)
_KEY = "PRIVATE KEY"


class ConsulForbidden(TemporaryError):
    """The login lacks a permission."""

    def __init__(self, message: str) -> None:
        super().__init__("Forbidden", message)


class TokenUnknown(ConsulForbidden):
    """The servers that were asked don't know the login's token: they are a moment behind, or it has expired."""


class ConsulAbsent(TemporaryError):
    """There is no such thing."""

    def __init__(self, message: str) -> None:
        super().__init__(service_code("Http404"), message)


class NoLeader(TemporaryError):
    """Nobody could answer; whether a change was made is to be read."""

    def __init__(self, message: str) -> None:
        super().__init__("NoLeader", message)


class CaBusy(TemporaryError):
    """Another change of the CA configuration is under way; this one wasn't made."""

    def __init__(self, message: str) -> None:
        super().__init__("CaBusy", message)


class CsrLimit(TemporaryError):
    """The leaf wasn't signed, as too many are asked for."""

    def __init__(self, message: str) -> None:
        super().__init__(service_code("Http429"), message, _SIGNING_PAUSE)


class CannotSign(TemporaryError):
    """The datacenter can't sign leaves."""

    def __init__(self, message: str) -> None:
        super().__init__("CannotSign", message)


class EntryChanged(TemporaryError):
    """The config entry isn't as it was read; nothing was written."""

    def __init__(self, message: str) -> None:
        super().__init__("ConfigEntryChanged", message)


_BY_TEXT: dict[type[NoLeader | CaBusy | CannotSign], tuple[str, ...]] = {
    NoLeader: (
        "No cluster leader",
        "leadership lost",
        "not the leader",
        "No path to datacenter",
        "stream closed",
        "rpc error getting client",
        "rpc error making call: EOF",
        "fetching keys",  # of an auth method: who publishes them doesn't answer
    ),
    CaBusy: ("already in state",),
    CannotSign: (
        "provided PrivateKey doesn't match",
        "root expired",
        "intermediate expired",
        "error parsing CA cert",
        "CA is uninitialized",
    ),
}
_BY_STATUS: dict[int, type[ConsulForbidden | ConsulAbsent | CsrLimit]] = {
    401: ConsulForbidden,
    403: ConsulForbidden,
    404: ConsulAbsent,
    429: CsrLimit,
}


def refusal(
    status: int, text: str, doing: str, *, refused: RefusedReason | None, secrets: Collection[str]
) -> PermanentError | TemporaryError:
    """The error for an answer that isn't the one that was asked for.

    `refused` is the reason if Consul says by this status what it won't have. `secrets` are never repeated.
    """
    message = f"{doing}: {status} {_quoted(text, secrets) or _phrase(status)}"
    for kind, words in _BY_TEXT.items():
        if any(word in text for word in words):
            return kind(message)
    if refused:
        return PermanentError(refused, message)
    if status == HTTPStatus.FORBIDDEN and "ACL not found" in text:
        return TokenUnknown(message)
    if status in _BY_STATUS:
        return _BY_STATUS[status](message)
    unclear = TemporaryError if status >= HTTPStatus.INTERNAL_SERVER_ERROR else PermanentError
    return unclear(service_code(f"Http{status}"), message)


def _quoted(text: str, secrets: Collection[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "…")
    short = _LONG_QUOTE.sub("…", text)
    return "" if _KEY in short else shown(short.strip())


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus else ""
