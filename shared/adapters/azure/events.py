"""Publishes Meshward's own events to its Event Grid topic (input schema CloudEvents 1.0)."""

from datetime import datetime
from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.messaging import CloudEvent
from azure.eventgrid.aio import EventGridPublisherClient

from shared.adapters.azure.common import NO_RETRY, translated
from shared.adapters.azure.outlet import through
from shared.adapters.azure.scope import event_topic


class Events:
    """The topic. `options` go to the SDK's client."""

    def __init__(self, topic_url: str, credential: AsyncTokenCredential, **options: Any) -> None:
        self._client = EventGridPublisherClient(
            topic_url, credential, **through(event_topic(topic_url), {**NO_RETRY, **options})
        )

    async def publish(
        self, *, id: str, type: str, source: str, subject: str, time: datetime, data: dict[str, str]
    ) -> None:
        """Send one event; it was accepted when this returns."""
        with translated(f"publishing {type}"):
            await self._client.send(CloudEvent(id=id, type=type, source=source, subject=subject, time=time, data=data))
