"""What all Azure adapters share: credentials by managed identity, and SDK errors as the errors that flows decide on.

The SDKs' own retries are off: they would sleep inside an invocation and could send a POST twice. A 429 or 5xx becomes
TemporaryError with the service's Retry-After, and the step is called again by a durable timer.
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import (
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    IncompleteReadError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.pipeline import PipelineResponse
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.identity.aio import ManagedIdentityCredential

from shared.adapters.azure.outlet import acting, through
from shared.adapters.azure.scope import resource_manager
from shared.domain.errors import PermanentError, TemporaryError, service_code, shown
from shared.settings import Settings

ACCOUNTS = "Microsoft.Storage/storageAccounts"
NO_RETRY: dict[str, Any] = {"retry_total": 0}
_WHOM = re.compile(r"(?<=The client )'[^']*' with object id '[^']*' ")
# The right that is missing, and where: of two that are named, the second is.
_RIGHT = re.compile(r"ction:? '([\w./-]{1,100})'(?:[^']{0,40}'(/[^']*)')?", re.ASCII)
_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_LONGEST_PATH = 500  # characters
# What the SDKs put around the message of an answer: its code, which is the reason, and all of it once more.
_AROUND = re.compile(r"^\(\w+\) | Code: \S+ Message: .*")
# What the SDKs' models, and what reads them, raise over a body of another form.
_MISREAD = (AssertionError, AttributeError, LookupError, TypeError, ValueError)


def managed_identity(client_id: str) -> AsyncTokenCredential:
    """The token credential of a user-assigned identity."""
    return ManagedIdentityCredential(client_id=client_id)


class AnswerSeen:
    """A response hook that keeps what an answer says beside its body."""

    status = 0
    headers: Mapping[str, str] = {}

    def __call__(self, answer: PipelineResponse[HttpRequest, AsyncHttpResponse]) -> None:
        self.status, self.headers = answer.http_response.status_code, answer.http_response.headers

    @property
    def operation(self) -> str:
        """The id of the operation that the answer names, empty if it names none."""
        addresses = (self.headers.get(name, "") for name in ("Azure-AsyncOperation", "Location"))
        return next(filter(None, map(_operation, addresses)), "")

    @property
    def outstanding(self) -> str:
        """The id of the operation that is still to end, empty for an answer that says that all is done.

        Raises PermanentError for one that says neither.
        """
        return self.required if self.status == HTTPStatus.ACCEPTED else self.operation

    @property
    def required(self) -> str:
        """The id of the operation; raises PermanentError if the answer names none."""
        if not self.operation:
            message = f"Azure has accepted the request ({self.status}) and names no operation that could be followed"
            raise PermanentError("OperationUnnamed", message)
        return self.operation


class Management:
    """Resource Manager's SDK clients for one identity: one per class and subscription, made on first use."""

    def __init__(self, settings: Settings, credential: AsyncTokenCredential, **options: Any) -> None:
        self._settings, self._credential = settings, credential
        self._options, self._scope = {**NO_RETRY, **options}, resource_manager(settings)
        self._clients: dict[tuple[object, str], object] = {}

    def client[C](self, sdk: Callable[..., C], subscription: str) -> C:
        """The client of this class for the subscription."""
        key = (sdk, subscription)
        if key not in self._clients:
            self._clients[key] = sdk(
                credential=self._credential,
                subscription_id=subscription,
                base_url=self._settings.arm_url,
                **through(self._scope, self._options),
            )
        return cast("C", self._clients[key])

    def merged_tags(self, own: Mapping[str, str] | None = None) -> dict[str, str]:
        """The tags of what is made: its own, by which it is known again, and the installation's of other names."""
        own = dict(own or {})
        names = {name.lower() for name in own}
        return {name: value for name, value in self._settings.tags.items() if name.lower() not in names} | own


def _operation(address: str) -> str:
    """The id in the address of an operation; the rest is signed, and isn't kept."""
    path = PurePosixPath(urlsplit(address).path)
    return path.name if "operation" in path.parent.name.lower() else ""


async def unless_absent[T](reading: Awaitable[T]) -> T | None:
    """What a GET answers; None for 404, unless it is the subscription that can't be seen: then nothing is known."""
    try:
        found = await reading
    except ResourceNotFoundError as error:
        if getattr(error.error, "code", None) == "SubscriptionNotFound":
            raise
        return None
    if found is None:
        raise TypeError("it has no body, which doesn't say that nothing is there")
    return found


async def read[T, R](what: str, reading: Awaitable[T], understood: Callable[[T], R]) -> R | None:
    """What a GET of something (`what` names it in errors) answers, as it is understood; None for 404."""
    with translated(f"reading {what}"):
        found = await unless_absent(reading)
        return None if found is None else understood(found)


def require_value(answer: AsyncHttpResponse) -> None:
    """Raise if a page of a list has no `value`: it isn't an empty one, for which the SDKs take it."""
    if answer.status_code < HTTPStatus.MULTIPLE_CHOICES and not isinstance(answer.json()["value"], list):
        raise TypeError("its value is no list")


LISTED: dict[str, Any] = {"raw_response_hook": lambda answer: require_value(answer.http_response)}
"""What lists are asked with."""


class HasProperties[P](Protocol):
    """A resource as an SDK models it."""

    @property
    def properties(self) -> P | None: ...


def properties_of[P](found: HasProperties[P]) -> P:
    """The properties of a resource, without which no service answers, though the SDKs allow for it."""
    if found.properties is None:
        raise TypeError("it has no properties")
    return found.properties


def plain(value: object) -> str:
    """A value that the SDK gives as text, as an enumeration or not at all, as text."""
    return str((value.value if isinstance(value, Enum) else value) or "")


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn what an SDK raises inside the block into our errors; `doing` names the act in their messages.

    The block is one act, which has bounds (`outlet`).
    """
    try:
        with acting(doing):
            yield
    except ClientAuthenticationError as error:
        raise TemporaryError(
            "NoToken", f"{doing}: no token from the managed identity endpoint: {_brief(error)}"
        ) from error
    except (ServiceRequestError, ServiceResponseError, IncompleteReadError) as error:
        raise TemporaryError("Unreachable", f"{doing}: {_brief(error)}") from error
    except HttpResponseError as error:
        raise _from_status(error, doing) from error
    except _MISREAD as error:
        raise _unreadable(error, doing) from error


def _unreadable(error: Exception, doing: str) -> PermanentError:
    what = f"{type(error).__name__}: {_brief(error)}"
    return PermanentError("AnswerUnreadable", f"{doing}: Azure's answer isn't of a form that Meshward knows: {what}")


def _from_status(error: HttpResponseError, doing: str) -> PermanentError | TemporaryError:
    status = error.status_code or 0
    if isinstance(error, DecodeError) and status < HTTPStatus.BAD_REQUEST:
        return _unreadable(error, doing)
    code = getattr(error.error, "code", None) or f"Http{status}"
    message = f"{doing}: {_brief(error)}"
    if status in _REFUSED and code != "RequestDisallowedByPolicy":
        return TemporaryError("Forbidden", f"{message} (a new role assignment takes minutes to act)")
    if status in (404, 408, 409, 412, 429) or status >= 500:
        return TemporaryError(service_code(str(code)), message, _retry_after(error))
    return PermanentError(service_code(str(code)), message)


def _retry_after(error: HttpResponseError) -> float | None:
    value = str(getattr(error.response, "headers", {}).get("Retry-After", ""))
    return float(value) if value.isdigit() else None


def _brief(error: Exception) -> str:
    """What Azure says, as far as it may be quoted; of a refusal, the right that is missing and what was asked for."""
    text = " ".join(str(getattr(error, "message", error))[:5000].split())
    rights = list(_RIGHT.finditer(text)) if getattr(error, "status_code", 0) in _REFUSED else []
    if not rights:
        return shown(_WHOM.sub("", text) if getattr(error, "status_code", 0) in _REFUSED else _AROUND.sub("", text))
    action, scope = rights[-1].groups()
    return f"{shown(f'no right to {action}' + (f' at {scope}' if scope else ''))}, asked for {_asked(error)}"


def _asked(error: Exception) -> str:
    """The path of the request that was refused, which is Meshward's own."""
    request = getattr(getattr(error, "response", None), "request", None)
    return shown(urlsplit(str(getattr(request, "url", ""))).path, _LONGEST_PATH)
