"""Event Grid's two schemas, as the Functions runtime hands them over, turned into one envelope."""

from typing import Any

from shared.domain.events import Envelope, envelope


def envelope_of(event: Any) -> Envelope:
    """The envelope of an `EventGridEvent` or a `CloudEvent`; raises InvalidEvent that names what is wrong."""
    if hasattr(event, "specversion"):
        return envelope(event.id, event.type, event.source, event.subject, event.get_json())
    return envelope(event.id, event.event_type, event.topic, event.subject, event.get_json())
