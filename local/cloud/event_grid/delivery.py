"""How Event Grid delivers: which subscription gets an event, its request, when it is repeated and when it is given up.

Rules (Event Grid docs, recorded traffic):
- A failed delivery is repeated on the schedule below until the attempts or the time to live are used up.
- 400, 401, 403 and 413 end it at once.
- Events of a CloudEvents topic can't be delivered in Event Grid's own schema, the other way they can.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from local.cloud.arm import iso
from local.cloud.event_grid.filters import Event, Filter, check, matches_filter

Schema = Literal["EventGridSchema", "CloudEventSchemaV1_0"]
RETRY_SECONDS = (10, 30, 60, 300, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600)  # the last one repeats
_AT_LEAST = {404: 300.0, 408: 120.0, 503: 30.0}
_FINAL = (400, 401, 403, 413)
_OUTCOMES = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    408: "TimedOut",
    413: "PayloadTooLarge",
    503: "Busy",
}


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """An event subscription; without types and filters it gets everything. Raises ValueError for invalid filters."""

    name: str
    topic: str
    endpoint: str  # the webhook's URL
    schema: Schema = "CloudEventSchemaV1_0"  # in which events are delivered
    included_types: Sequence[str] = ()  # empty: all
    subject_begins_with: str = ""
    subject_ends_with: str = ""
    advanced_filters: Sequence[Filter] = ()  # all must match
    max_attempts: int = 30
    ttl_minutes: int = 1440  # how long a delivery is repeated

    def __post_init__(self) -> None:
        check(self.advanced_filters)

    def matches(self, event: Event) -> bool:
        kind, subject = event.get("eventType") or event["type"], str(event.get("subject", "")).lower()
        return (
            (not self.included_types or kind in self.included_types)
            and subject.startswith(self.subject_begins_with.lower())
            and subject.endswith(self.subject_ends_with.lower())
            and all(matches_filter(filter, event) for filter in self.advanced_filters)
        )


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One attempt of a delivery, for tests."""

    subscription: str
    event: Event
    attempt: int  # from 1
    when: float  # Unix seconds
    status: int | None  # None if the endpoint wasn't reached


@dataclass
class PendingDelivery:
    """An event on its way to one subscriber."""

    subscription: Subscription
    event: Event
    published: float
    attempts: int = 0

    def request(self) -> tuple[dict[str, str], Event | list[Event]]:
        """Headers and JSON body of the next attempt."""
        headers = headers_of(self.subscription, "Notification", self.attempts)
        if self.subscription.schema == "CloudEventSchemaV1_0":
            return headers | {"Content-Type": "application/cloudevents+json; charset=utf-8"}, as_cloud_event(self.event)
        if "specversion" in self.event:
            raise ValueError("Event Grid doesn't deliver a CloudEvent in its own schema")
        return headers, [self.event]

    def given_up(self, status: int | None, now: float) -> str | None:
        """Why there won't be another attempt, in the service's words."""
        if status in _FINAL:
            return f"UndeliverableDueToHttp{_OUTCOMES[status]}"
        if self.attempts >= self.subscription.max_attempts:
            return "MaxDeliveryAttemptsExceeded"
        expires = self.published + self.subscription.ttl_minutes * 60
        return "TimeToLiveExceeded" if now + self.wait(status) > expires else None

    def wait(self, status: int | None) -> float:
        """Seconds until the next attempt."""
        step = RETRY_SECONDS[min(self.attempts, len(RETRY_SECONDS)) - 1]
        return max(step, _AT_LEAST.get(status or 0, 0.0))

    def dead_letter(self, status: int | None, reason: str, now: float) -> Event:
        """The event with what its blob says about the failure."""
        facts: dict[str, Any] = {
            "deadLetterReason": reason,
            "deliveryAttempts": self.attempts,
            "lastDeliveryOutcome": _OUTCOMES.get(status or 0, "GenericError"),
            "lastHttpStatusCode": status,
            "publishTime": iso(self.published),
            "lastDeliveryAttemptTime": iso(now),
        }
        given = {name: value for name, value in facts.items() if value is not None}
        if self.subscription.schema == "CloudEventSchemaV1_0":
            return {**as_cloud_event(self.event), **{name.lower(): value for name, value in given.items()}}
        return {**self.event, **given}


def headers_of(subscription: Subscription, kind: str, earlier_attempts: int) -> dict[str, str]:
    return {
        "aeg-event-type": kind,
        "aeg-subscription-name": subscription.name.upper(),
        "aeg-delivery-count": str(earlier_attempts),
        "aeg-data-version": "2",
        "aeg-metadata-version": "1",
    }


def as_cloud_event(event: Event) -> Event:
    """An event of either schema as a CloudEvent 1.0, as Event Grid maps it."""
    if "specversion" in event:
        return event
    return {
        "id": event["id"],
        "source": event["topic"],
        "specversion": "1.0",
        "type": event["eventType"],
        "subject": event["subject"],
        "time": event["eventTime"],
        "data": event["data"],
    }
