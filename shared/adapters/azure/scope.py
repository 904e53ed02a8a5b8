"""Where each adapter may send requests: to its own server, and there to what is the fleet's, and nothing else.

Ids, tags, addresses of next pages and names in answers all end in URLs. Each is checked where it comes in; here, once
more, where the URL goes out with a token of Meshward's.
"""

import re
from collections.abc import Callable, Iterable
from urllib.parse import unquote, urlsplit

from shared.domain.errors import PermanentError, shown
from shared.domain.resource_id import folded
from shared.settings import Settings

_WORD = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9_.();=+-]+", re.ASCII)  # of ids, and of base64, as operations have it
# A path in a share, whose names are anybody's: the SDK encodes the slashes between them.
_FILE = re.compile(r"(?!(?:.*/)?\.{1,2}(?:/|\Z))[^\\\x00-\x1f\x7f]*")
_HOME = ("subscriptions", "<id>")  # how each path of Resource Manager begins
_IN_VAULT = frozenset({"certificates", "keys"})

type Words = list[str]  # the segments of a path, decoded


class ServerScope:
    """One server, and the paths under its URL that it may be asked for."""

    def __init__(self, url: str, holds: Callable[[Words], bool], word: re.Pattern[str] = _WORD) -> None:
        self._url, self._holds, self._word = urlsplit(url), holds, word
        self._root = _words(self._url.path.rstrip("/"))

    def require(self, url: str) -> None:
        """Raise PermanentError "OutsideFleet" for any other URL."""
        if not self._has(url):
            server = f"{self._url.scheme}://{self._url.netloc}"
            raise PermanentError("OutsideFleet", f"{shown(url)} isn't within what the settings name at {server}")

    def _has(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        words, root = _words(parts.path), self._root
        there = parts[:2] == self._url[:2] and words[: len(root)] == root
        return there and all(map(self._word.fullmatch, words)) and self._holds(words[len(root) :])


def _words(path: str) -> list[str]:
    return [unquote(segment) for segment in path.split("/")[1:]]


def within(subscriptions: Iterable[str]) -> Callable[[Words], bool]:
    """Whether a path of Resource Manager is in one of these subscriptions."""
    known = {folded(each) for each in subscriptions}
    return lambda words: len(words) >= len(_HOME) and words[0].lower() == _HOME[0] and folded(words[1]) in known


def resource_manager(settings: Settings) -> ServerScope:
    """What is in the subscriptions of the settings."""
    return ServerScope(settings.arm_url, within(settings.subscriptions))


def resource_graph(settings: Settings) -> ServerScope:
    """Queries of Resource Graph: which subscriptions one is about, its body says."""
    path = ["providers", "Microsoft.ResourceGraph", "resources"]
    return ServerScope(settings.arm_url, lambda words: words == path)


def key_vault(settings: Settings) -> ServerScope:
    """Certificates and keys of the vault of the settings; no secrets.

    The URL of a simulated vault has a path, which the ids of its keys lack.
    """
    url = urlsplit(settings.key_vault_url)
    first = len(_words(url.path.rstrip("/"))) + 1
    return ServerScope(f"{url.scheme}://{url.netloc}", lambda words: not _IN_VAULT.isdisjoint(words[:first]))


def file_share(url: str) -> ServerScope:
    """Shares of one storage account."""
    return ServerScope(url, bool, _FILE)


def event_topic(url: str) -> ServerScope:
    """One topic of Event Grid."""
    return ServerScope(url, lambda words: not words)
