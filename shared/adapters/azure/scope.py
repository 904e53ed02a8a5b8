"""What Resource Manager may be asked for: paths in the subscriptions of the settings, and nothing else, by nobody.

Ids, tags, addresses of next pages and names in answers all end in URLs. Each is checked where it comes in; here, once
more, where the URL goes out with a token of Meshward's.
"""

import re
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.core.rest import AsyncHttpResponse, HttpRequest

from shared.domain.errors import PermanentError, shown
from shared.domain.resource_id import folded

_WORD = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9_.();=+-]+", re.ASCII)  # of ids, and of base64, as operations have it
_HOME = ("subscriptions", "<id>")  # how each path begins


class WithinFleet(SansIOHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Lets a request out only to this server, and to what is in one of these subscriptions."""

    def __init__(self, server: str, subscriptions: Sequence[str]) -> None:
        self._server, self._subscriptions = urlsplit(server), {folded(each) for each in subscriptions}

    def on_request(self, request: PipelineRequest[HttpRequest]) -> None:
        """Raise PermanentError "OutsideFleet" for any other request."""
        url = request.http_request.url
        parts = urlsplit(url)
        if parts[:2] != self._server[:2] or not self._holds(parts.path.split("/")[1:]):
            raise PermanentError("OutsideFleet", f"{shown(url)} isn't in a subscription of MESHWARD_SUBSCRIPTION_IDS")

    def _holds(self, segments: Sequence[str]) -> bool:
        words = [unquote(segment) for segment in segments]
        if len(words) < len(_HOME) or not all(map(_WORD.fullmatch, words)):
            return False
        return words[0].lower() == _HOME[0] and folded(words[1]) in self._subscriptions
