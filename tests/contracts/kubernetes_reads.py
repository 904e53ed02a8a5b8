"""What Meshward relies on when it reads from an API server: lists page by page, watches, events."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from lightkube.resources.core_v1 import Event
from lightkube.types import OnErrorResult, on_error_retry

from shared.adapters.kubernetes.api import ClusterApi
from shared.adapters.kubernetes.bounds import Bounds
from shared.adapters.kubernetes.kinds import CONFIG_MAP, SECRET, SERVICE_ACCOUNT
from shared.domain.errors import TemporaryError
from tests.worlds.api_objects import (
    EVENT,
    collection_path,
    colours,
)
from tests.worlds.api_server import ClusterUnderTest, InItsOwnNamespace


class ReadsContract(InItsOwnNamespace):
    async def test_a_list_longer_than_a_page_is_whole(self, here: ClusterUnderTest) -> None:
        names = [f"c{number}" for number in range(7)]
        for name in names:
            await here.apply(SECRET, {"metadata": {"name": name}})
        found = await here.meshward.list(SECRET, namespace=here.namespace, page=3)
        assert [o["metadata"]["name"] for o in found] == names

    async def test_pages_show_one_version_until_it_is_compacted(self, here: ClusterUnderTest) -> None:
        path = collection_path(SECRET, here.namespace)
        for name in ("a", "b", "c"):
            await here.apply(SECRET, {"metadata": {"name": name}})
        first = (await here.other.get(path, params={"limit": 1})).json()
        following = {"limit": 1, "continue": first["metadata"]["continue"]}
        await here.meshward.delete(SECRET, "b", here.namespace)
        second = (await here.other.get(path, params=following)).json()
        assert [o["metadata"]["name"] for o in (*first["items"], *second["items"])] == ["a", "b"]
        assert first["metadata"]["remainingItemCount"] == 2
        await here.compact()

        async def is_gone() -> bool:
            return (await here.other.get(path, params=following)).status_code == 410

        await here.until(is_gone)
        assert (await here.other.get(path, params=following)).json()["reason"] == "Expired"

    async def test_a_list_that_expires_between_its_pages_is_read_again(self, here: ClusterUnderTest) -> None:
        names = [f"c{number}" for number in range(4)]
        for name in names:
            await here.apply(SECRET, {"metadata": {"name": name}})
        found = await _CompactedBetweenPages(here).list(SECRET, namespace=here.namespace, page=2)
        assert [o["metadata"]["name"] for o in found] == names

    async def test_a_watch_that_expired_starts_again_and_one_that_is_closed_goes_on(
        self, here: ClusterUnderTest
    ) -> None:
        gone, seen = list[Any](), list[tuple[str, str | None]]()

        def note(error: Exception, count: int) -> OnErrorResult:
            gone.append(error)
            return on_error_retry(error, count)

        async def watch() -> None:
            async with here.lightkube() as client:
                since: Any = {"namespace": here.namespace, "resource_version": "1"}
                async for change, found in client.watch(Event, **since, server_timeout=1, on_error=note):
                    seen.append((change, found.reason))

        def came(change: str) -> Callable[[], Awaitable[bool]]:
            async def has_come() -> bool:
                return bool(seen) and seen[-1][0] == change

            return has_come

        await here.apply(EVENT, here.event(reason="Mixed"))
        await here.compact()
        watching = asyncio.create_task(watch())
        await here.until(came("ADDED"))
        for _ in range(25):  # it is closed again and again
            await here.wait()
        await here.apply(EVENT, here.event(reason="Dried"))
        await here.until(came("MODIFIED"))
        await here.meshward.delete(EVENT, "colours.1", here.namespace)
        await here.until(came("DELETED"))
        watching.cancel()
        assert [error.status.code for error in gone] == [410]
        assert seen == [("ADDED", "Mixed"), ("MODIFIED", "Dried"), ("DELETED", "Dried")]

    async def test_a_watch_without_changes_gets_a_bookmark_before_it_is_closed(self, here: ClusterUnderTest) -> None:
        path, query = collection_path(SECRET, here.namespace), {"watch": "true", "allowWatchBookmarks": "true"}
        since = (await here.other.get(path)).json()["metadata"]["resourceVersion"]
        only = {"labelSelector": "watched", "resourceVersion": since, "timeoutSeconds": 8}
        async with here.other.stream("GET", path, params={**query, **only}) as watch:
            unseen = await here.apply(SECRET, {"metadata": {"name": "unseen"}})
            reading = asyncio.create_task(watch.aread())

            async def is_closed() -> bool:
                return reading.done()

            await here.until(is_closed)
        events = [json.loads(line) for line in watch.text.splitlines()]
        assert {(each["type"], each["object"]["kind"]) for each in events} == {("BOOKMARK", "Secret")}
        assert events[-1]["object"]["metadata"]["resourceVersion"] >= unseen["metadata"]["resourceVersion"]

    async def test_listed_objects_leave_their_kind_to_the_list(self, here: ClusterUnderTest) -> None:
        await here.apply(SECRET, {"metadata": {"name": "key"}})
        (found,) = await here.meshward.list(SECRET, namespace=here.namespace)
        assert found.keys().isdisjoint({"kind", "apiVersion"})
        assert (await here.meshward.get(SECRET, "key", here.namespace) or {})["kind"] == "Secret"

    async def test_every_namespace_has_a_service_account_and_the_cluster_ca(self, here: ClusterUnderTest) -> None:
        await here.until(lambda: here.exists(CONFIG_MAP, "kube-root-ca.crt"))
        for kind, name in ((SERVICE_ACCOUNT, "default"), (CONFIG_MAP, "kube-root-ca.crt")):
            assert [o["metadata"]["name"] for o in await here.meshward.list(kind, namespace=here.namespace)] == [name]

    async def test_an_absent_object_is_none_and_can_be_deleted(self, here: ClusterUnderTest) -> None:
        assert await here.meshward.get(CONFIG_MAP, "colours", here.namespace) is None
        await here.meshward.delete(CONFIG_MAP, "colours", here.namespace)
        with pytest.raises(TemporaryError, match="404"):
            await here.meshward.metrics("absent", here.namespace, 4191)

    async def test_events_name_their_object(self, here: ClusterUnderTest) -> None:
        await here.apply(EVENT, here.event(reason="Mixed"))
        (found,) = await here.meshward.list(EVENT, namespace=here.namespace)
        assert (found["involvedObject"]["name"], found["reason"]) == ("colours", "Mixed")


class _CompactedBetweenPages(ClusterApi):
    """Meshward's client of an API server that compacts its history before each page of a list but the first."""

    def __init__(self, cluster: ClusterUnderTest) -> None:
        super().__init__("here", cluster.meshward._session, Bounds())
        self._here = cluster

    async def _call(self, doing: str, method: str, path: str, **request: Any) -> bytes:
        here, query = self._here, request.get("query") or {}

        async def is_gone() -> bool:
            return (await here.other.get(path, params=query)).status_code == 410

        if "continue" in query:
            await here.apply(CONFIG_MAP, colours(changed="meanwhile"))
            await here.compact()
            await here.until(is_gone)
        return await super()._call(doing, method, path, **request)
