"""Events as the Functions runtime hands them over: two schemas become one envelope, and a refusal a log line."""

from collections.abc import Iterator
from contextlib import contextmanager

import azure.functions as func

from functions.engine.logs import log
from shared.domain.errors import InvalidEvent, MeshwardError
from shared.domain.events import Envelope, envelope
from shared.domain.signals import EventDeclined


def envelope_of(event: func.EventGridEvent | func.CloudEvent) -> Envelope:
    """The envelope of an `EventGridEvent` or a `CloudEvent`; raises InvalidEvent that names what is wrong."""
    kind = event.type if isinstance(event, func.CloudEvent) else event.event_type
    try:
        data = event.get_json()
    except (ValueError, RecursionError) as error:
        raise InvalidEvent("MalformedEvent", "the event's data isn't JSON") from error
    return envelope(event.id, kind, data)


@contextmanager
def declined_if_refused(event_id: str) -> Iterator[None]:
    """Log why the event starts nothing, where something in the block refuses it."""
    try:
        yield
    except MeshwardError as error:
        log(EventDeclined(event_id=event_id, reason=error.reason, error=error.message))
        raise
