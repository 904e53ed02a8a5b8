"""Event Grid: topics, subscriptions with the validation handshake, and delivery to webhooks.

Rules (Event Grid docs, recorded traffic):
- Delivery is at least once and unordered: tests order duplicates (`deliver_twice`) and stragglers (`hold_back`).
- What can't be delivered is dead-lettered five minutes later.
- A new webhook must prove that it wants the events: by echoing a code (Event Grid schema) or by OPTIONS (CloudEvents).
"""

import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from local.cloud.arm import SUBSCRIPTION, iso
from local.cloud.clock import Clock
from local.cloud.entra import Entra
from local.cloud.event_grid.delivery import Delivery, PendingDelivery, Schema, Subscription, headers_of
from local.cloud.event_grid.filters import Event
from local.cloud.resources.permissions import Permissions
from local.cloud.wire import CloudRequest, Reply, Route, Wire

DEAD_LETTER_SECONDS = 300.0
LATENCY_SECONDS = 1.0
MAX_BYTES = 1_536_000  # seen in recorded traffic
SEND = "Microsoft.EventGrid/events/send/action"
_DELIVERED = (200, 201, 202, 203, 204)
_REQUIRED = {
    "EventGridSchema": ("id", "subject", "eventType", "eventTime", "dataVersion"),
    "CloudEventSchemaV1_0": ("id", "source", "type", "specversion"),
}


class ValidationFailed(Exception):
    """The webhook didn't take part in the validation handshake."""


@dataclass
class Topic:
    """`schema` is what its HTTP endpoint accepts: `POST /topics/<name>/api/events`."""

    name: str
    schema: Schema
    subscriptions: dict[str, Subscription] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return (
            f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-events/providers/Microsoft.EventGrid/topics/{self.name}"
        )


class EventGrid:
    """`SUBSCRIPTION` names the system topic of the Azure subscription (Resource Manager's events)."""

    SUBSCRIPTION = "subscription"

    def __init__(self, clock: Clock, wire: Wire, entra: Entra, permissions: Permissions) -> None:
        self._clock, self._wire, self._entra, self._permissions = clock, wire, entra, permissions
        self.topics: dict[str, Topic] = {}
        self.deliveries: list[Delivery] = []
        self.dead_letters: list[Event] = []
        self._twice = 0
        self._held_back: deque[float] = deque()
        wire.mount([Route("POST", "/topics/{topic}/api/events", self._receive)])

    def topic(self, name: str, *, schema: Schema = "CloudEventSchemaV1_0") -> Topic:
        """The topic of that name; a new one accepts events of `schema` over HTTP."""
        return self.topics.setdefault(name, Topic(name, schema))

    def publish(self, topic: str, event: Event) -> None:
        """Deliver an event (in either schema) soon to every subscription of the topic that matches it."""
        for subscription in self.topic(topic).subscriptions.values():
            if subscription.matches(event):
                self._send(subscription, event)

    def deliver_twice(self, times: int = 1) -> None:
        """Deliver each of the next events twice."""
        self._twice += times

    def hold_back(self, *seconds: float) -> None:
        """Deliver the next events so much later, so that others overtake them."""
        self._held_back.extend(seconds)

    async def subscribe(self, name: str, *, topic: str, endpoint: str, **options: Any) -> Subscription:
        """Subscribe a webhook, with the other fields of Subscription as `options`.

        Raises ValidationFailed if the webhook fails the handshake, ValueError for filters that Azure refuses.
        """
        subscription = Subscription(name=name, topic=topic, endpoint=endpoint, **options)
        with self._clock.busy():
            agreed = await self._validate(subscription)
        if not agreed:
            raise ValidationFailed(f"{name}: the webhook failed the validation handshake")
        self.topic(topic).subscriptions[name] = subscription
        return subscription

    async def _validate(self, subscription: Subscription) -> bool:
        async with aiohttp.ClientSession() as session:
            if subscription.schema == "CloudEventSchemaV1_0":
                asked = {"WebHook-Request-Origin": "eventgrid.azure.net"}
                async with session.options(subscription.endpoint, headers=asked) as answer:
                    allowed = answer.headers.get("WebHook-Allowed-Origin")
                    return answer.status == 200 and allowed in ("*", "eventgrid.azure.net")
            code = str(uuid.uuid4())
            headers = headers_of(subscription, "SubscriptionValidation", 0)
            async with session.post(subscription.endpoint, json=[self._validation(code)], headers=headers) as answer:
                return answer.status == 200 and (await answer.json()).get("validationResponse") == code

    def _validation(self, code: str) -> Event:
        return {
            "id": str(uuid.uuid4()),
            "topic": f"/subscriptions/{SUBSCRIPTION}",
            "subject": "",
            "data": {"validationCode": code, "validationUrl": f"{self._wire.url}/eventgrid/validate?id={code}"},
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "eventTime": iso(self._clock.time()),
            "metadataVersion": "1",
            "dataVersion": "2",
        }

    def _receive(self, call: CloudRequest) -> Reply:
        topic = self.topics.get(call.params["topic"])
        caller = self._entra.caller(call, audience="https://eventgrid.azure.net")
        if not caller:
            return _error(401, "Unauthorized", "The request's token is missing, expired or not for Event Grid.")
        if topic is None:
            return _error(404, "NotFound", f"The topic {call.params['topic']} was not found.")
        if not self._permissions.allows(caller, SEND, topic.id):
            return _error(403, "Forbidden", f"The principal lacks '{SEND}' on '{topic.id}'.")
        if len(call.content) > MAX_BYTES:
            return _error(413, "RequestEntityTooLarge", f"The maximum size ({MAX_BYTES}) has been exceeded.")
        events = call.body if isinstance(call.body, list) else [call.body]
        if missing := {name for event in events for name in _REQUIRED[topic.schema] if not event.get(name)}:
            return _error(400, "BadRequest", f"The topic expects '{topic.schema}'; missing are {sorted(missing)}.")
        for event in events:
            self.publish(topic.name, event)
        return Reply()

    def _send(self, subscription: Subscription, event: Event) -> None:
        late = self._held_back.popleft() if self._held_back else 0.0
        copies = 2 if self._twice else 1
        self._twice = max(0, self._twice - 1)
        for copy in range(1, copies + 1):
            self._attempt_after(LATENCY_SECONDS * copy + late, PendingDelivery(subscription, event, self._clock.time()))

    def _attempt_after(self, seconds: float, pending: PendingDelivery) -> None:
        clock = self._clock
        clock.after(seconds, lambda: clock.spawn(self._attempt(pending)))

    async def _attempt(self, pending: PendingDelivery) -> None:
        status, now = await _post(pending), self._clock.time()
        pending.attempts += 1
        self.deliveries.append(
            Delivery(
                subscription=pending.subscription.name,
                event=pending.event,
                attempt=pending.attempts,
                when=now,
                status=status,
            )
        )
        if status in _DELIVERED:
            return
        reason = pending.given_up(status, now)
        if reason is None:
            self._attempt_after(pending.wait(status), pending)
        else:
            letter = pending.dead_letter(status, reason, now)
            self._clock.after(DEAD_LETTER_SECONDS, lambda: self.dead_letters.append(letter))


async def _post(pending: PendingDelivery) -> int | None:
    headers, body = pending.request()
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.post(pending.subscription.endpoint, json=body, headers=headers) as answer,
        ):
            return answer.status
    except (aiohttp.ClientError, TimeoutError):
        return None


def _error(status: int, code: str, message: str) -> Reply:
    return Reply(
        status=status,
        body={"error": {"code": code, "message": message, "details": [{"code": code, "message": message}]}},
    )
