"""Whole subscriptions, as the self-test asks about them."""

from collections.abc import Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime

import msgspec
from azure.mgmt.resource.resources.aio import ResourceManagementClient

from shared.adapters.azure.common import AnswerSeen, Management, translated
from shared.domain.resource_id import parsed, subscription_scope
from shared.domain.selftest import SystemTopic

_TOPICS, _EVENT_GRID = "Microsoft.EventGrid/systemTopics", "2025-02-15"
# A subscription is also the source of other kinds of topics, such as those of Azure Policy.
_KINDS = ("microsoft.resources.subscriptions", "microsoft.keyvault.vaults")


class _Properties(msgspec.Struct, frozen=True, rename="camel"):
    source: str = ""
    topic_type: str = ""
    provisioning_state: str = ""


class _Child(msgspec.Struct, frozen=True):
    """What a collection of Resource Manager says of each that it holds."""

    id: str
    name: str
    properties: _Properties


class Subscriptions(Management):
    """What Resource Manager says of whole subscriptions."""

    async def providers(self, subscription: str, namespaces: Sequence[str]) -> dict[str, str]:
        """The registration state of each resource provider."""
        with translated(f"reading the resource providers of subscription {subscription}"):
            providers = self._client(subscription).providers
            return {name: str((await providers.get(name)).registration_state) for name in namespaces}

    async def system_topics(self, subscription: str) -> list[SystemTopic]:
        """The system topics of subscriptions and key vaults there, with their event subscriptions."""
        with translated(f"reading the event subscriptions of subscription {subscription}"):
            return [
                SystemTopic(source=topic.properties.source, states=await self._states(subscription, topic.id))
                for topic in await self._all(subscription, subscription_scope(subscription).collection(_TOPICS))
                if topic.properties.topic_type.lower() in _KINDS
            ]

    async def _states(self, subscription: str, topic: str) -> dict[str, str]:
        """The states of a topic's event subscriptions; none of one whose id nobody can read, which isn't ours."""
        id = parsed(topic)
        found = await self._all(subscription, id.collection("eventSubscriptions")) if id else []
        return {each.name: each.properties.provisioning_state for each in found}

    async def clock(self, subscription: str) -> datetime:
        """The time that Resource Manager stamps its answers with, in whole seconds."""
        answer = AnswerSeen()
        with translated("reading Azure's clock"):
            await self._client(subscription).providers.get("Microsoft.Storage", raw_response_hook=answer)
        return parsedate_to_datetime(answer.headers["Date"])

    async def _all(self, subscription: str, collection: str) -> list[_Child]:
        """What a collection holds: there is one system topic for each source and kind, so they are few."""
        listed = await self._client(subscription).resources.get_by_id(collection, api_version=_EVENT_GRID)
        return msgspec.convert(dict(listed)["value"], list[_Child])

    def _client(self, subscription: str) -> ResourceManagementClient:
        return self.client(ResourceManagementClient, subscription)
