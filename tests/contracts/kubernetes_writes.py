"""What Meshward relies on when it writes to an API server: field owners, stale versions, namespaces, Secrets."""

import base64
import re
from pathlib import Path

import pytest

from shared.adapters.kubernetes.errors import Exists
from shared.adapters.kubernetes.kinds import CONFIG_MAP, NAMESPACE, SECRET, Kind
from shared.adapters.kubernetes.owners import owner
from shared.domain.errors import PermanentError, TemporaryError
from tests.worlds.api_objects import collection_path, colours, no_colours
from tests.worlds.api_server import ClusterUnderTest, InItsOwnNamespace

_INFRA_PAGE = Path(__file__).parents[2] / "docs" / "clusters.md"


class WritesContract(InItsOwnNamespace):
    async def test_applying_the_same_again_changes_nothing(self, here: ClusterUnderTest) -> None:
        desired = {**colours(a="red", b="blue"), "metadata": {"name": "colours", "namespace": here.namespace}}
        first, again = [await here.meshward.apply(CONFIG_MAP, desired) for _ in range(2)]
        assert first["metadata"]["resourceVersion"] == again["metadata"]["resourceVersion"]
        assert (await here.meshward.apply(CONFIG_MAP, {**desired, "data": {"a": "red"}}))["data"] == {"a": "red"}

    async def test_the_ownership_of_another_tool_is_removed_as_the_page_for_infra_teams_says(
        self, here: ClusterUnderTest
    ) -> None:
        labels, annotations = {"app.kubernetes.io/managed-by": "Helm"}, {"meta.helm.sh/release-name": "linkerd"}
        marked = {"name": "colours", "labels": labels, "annotations": annotations}
        assert owner(await here.apply(CONFIG_MAP, {**colours(a="red"), "metadata": marked}), "f:data", "f:a") == "Helm"
        (patch,) = re.findall(r"--patch '(.*managedFields.*)'", _INFRA_PAGE.read_text())
        headers = {"Content-Type": "application/merge-patch+json"}
        path = f"{collection_path(CONFIG_MAP, here.namespace)}/colours"
        taken = (await here.other.patch(path, content=patch.encode(), headers=headers)).json()
        assert owner(taken, "f:data", "f:a") == ""
        desired = {**colours(a="green"), "metadata": {"name": "colours", "namespace": here.namespace}}
        ours = await here.meshward.apply(CONFIG_MAP, desired, take_over=True)
        assert (ours["data"], owner(ours, "f:data", "f:a")) == ({"a": "green"}, "")

    @pytest.mark.parametrize("operation", ["Apply", "Update"])
    async def test_a_field_of_another_manager_is_a_conflict_unless_taken_over(
        self, here: ClusterUnderTest, operation: str
    ) -> None:
        if operation == "Apply":
            await here.apply(CONFIG_MAP, colours(a="red", b="blue"))
        else:
            made = await here.other.post(
                collection_path(CONFIG_MAP, here.namespace),
                params={"fieldManager": "Helm"},
                json=colours(a="red", b="blue"),
            )
            assert made.status_code == 201
        desired = {**colours(a="green"), "metadata": {"name": "colours", "namespace": here.namespace}}
        manager = '"Helm"' if operation == "Apply" else '"Helm" using v1'
        with pytest.raises(TemporaryError, match=f"1 conflict: conflict with {manager}: .data.a") as refused:
            await here.meshward.apply(CONFIG_MAP, desired)
        assert refused.value.reason == "Http409"
        taken = await here.meshward.apply(CONFIG_MAP, desired, take_over=True)
        assert taken["data"] == {"a": "green", "b": "blue"}
        owners = {m["manager"]: m["fieldsV1"]["f:data"] for m in taken["metadata"]["managedFields"]}
        assert owners["meshward"].keys() == {"f:a"}
        assert owners["Helm"].keys() - {"."} == {"f:b"}

    async def test_a_patch_of_a_stale_version_changes_nothing(self, here: ClusterUnderTest) -> None:
        seen = await here.apply(CONFIG_MAP, colours(a="red"))
        await here.apply(CONFIG_MAP, colours(a="blue"))
        change = {"metadata": {"resourceVersion": seen["metadata"]["resourceVersion"]}, "data": {"a": "green"}}
        with pytest.raises(TemporaryError, match="the object has been modified") as refused:
            await here.meshward.patch(CONFIG_MAP, "colours", here.namespace, change)
        assert refused.value.reason == "Http409"
        assert (await here.meshward.get(CONFIG_MAP, "colours", here.namespace) or {})["data"] == {"a": "blue"}

    async def test_applying_a_stale_version_is_refused_even_by_force(self, here: ClusterUnderTest) -> None:
        seen = await here.apply(CONFIG_MAP, colours(a="red"))
        await here.apply(CONFIG_MAP, colours(a="blue"))
        change = colours(a="green")
        change["metadata"] |= {"namespace": here.namespace, "resourceVersion": seen["metadata"]["resourceVersion"]}
        with pytest.raises(TemporaryError, match="the object has been modified") as refused:
            await here.meshward.apply(CONFIG_MAP, change, take_over=True)
        assert refused.value.reason == "Http409"

    async def test_a_namespace_ends_with_the_last_finalizer_in_it(self, here: ClusterUnderTest) -> None:
        finalized = {"metadata": {"name": "finalized", "finalizers": ["meshward.test/finalized"]}}
        await here.apply(CONFIG_MAP, finalized)
        await here.meshward.delete(NAMESPACE, here.namespace)

        async def is_ending() -> bool:
            found = await here.meshward.get(CONFIG_MAP, "finalized", here.namespace) or {}
            return "deletionTimestamp" in found["metadata"]

        await here.until(is_ending)
        found = await here.meshward.get(NAMESPACE, here.namespace) or {}
        assert found["status"]["phase"] == "Terminating"
        desired = {**colours(a="red"), "metadata": {"name": "colours", "namespace": here.namespace}}
        with pytest.raises(TemporaryError, match="because it is being terminated"):
            await here.meshward.apply(CONFIG_MAP, desired)
        await here.meshward.patch(CONFIG_MAP, "finalized", here.namespace, {"metadata": {"finalizers": None}})
        await here.until(lambda: _is_gone(here, NAMESPACE, here.namespace))

        async def is_refused_as_absent() -> bool:
            """An API server goes on to know the namespace as one that ends for a moment."""
            with pytest.raises(TemporaryError) as refused:
                await here.meshward.apply(CONFIG_MAP, desired)
            return f'namespaces "{here.namespace}" not found' in refused.value.message

        await here.until(is_refused_as_absent)

    async def test_what_is_made_was_not_there_before(self, here: ClusterUnderTest) -> None:
        desired = {**colours(a="red"), "metadata": {"name": "colours", "namespace": here.namespace}}
        made = await here.meshward.create(CONFIG_MAP, desired)
        with pytest.raises(Exists, match="already exists"):
            await here.meshward.create(CONFIG_MAP, {**desired, "data": {"a": "green"}})
        found = await here.meshward.get(CONFIG_MAP, "colours", here.namespace) or {}
        assert (found["metadata"]["uid"], found["data"]) == (made["metadata"]["uid"], {"a": "red"})

    async def test_no_other_object_of_that_name_is_deleted(self, here: ClusterUnderTest) -> None:
        desired = {**colours(a="red"), "metadata": {"name": "colours", "namespace": here.namespace}}
        uid = (await here.meshward.create(CONFIG_MAP, desired))["metadata"]["uid"]
        with pytest.raises(TemporaryError, match="UID in the precondition") as refused:
            await here.meshward.delete(CONFIG_MAP, "colours", here.namespace, uid="another")
        assert refused.value.reason == "Http409"
        assert await here.exists(CONFIG_MAP, "colours")
        await here.meshward.delete(CONFIG_MAP, "colours", here.namespace, uid=uid)
        assert not await here.exists(CONFIG_MAP, "colours")

    async def test_a_dry_run_tells_what_a_policy_refuses_and_makes_nothing(self, here: ClusterUnderTest) -> None:
        desired = {**colours(a="red"), "metadata": {"name": "colours", "namespace": here.namespace}}
        assert await here.meshward.refused(CONFIG_MAP, desired) == ""
        assert not await here.exists(CONFIG_MAP, "colours")
        for kind, spec in no_colours(here.namespace):
            await here.apply(kind, {"metadata": {"name": here.namespace}, "spec": spec})
        await here.until(lambda: _is_refused_by_a_policy(here))
        elsewhere = {**desired, "metadata": {"name": "colours", "namespace": "default"}}
        assert await here.meshward.refused(CONFIG_MAP, elsewhere) == ""

    async def test_a_tls_secret_keeps_its_type_and_both_its_parts(self, here: ClusterUnderTest) -> None:
        parts = {name: base64.b64encode(b"PEM").decode() for name in ("tls.crt", "tls.key")}
        issuer = {"metadata": {"name": "issuer", "namespace": here.namespace}, "type": "kubernetes.io/tls"}
        with pytest.raises(PermanentError, match=r"422 Invalid$"):
            await here.meshward.apply(SECRET, {**issuer, "data": {"tls.crt": parts["tls.crt"]}})
        made = await here.meshward.apply(SECRET, {**issuer, "data": parts})
        assert (made["type"], made["data"]) == ("kubernetes.io/tls", parts)
        renewed = {"data": {"tls.crt": base64.b64encode(b"NEW").decode(), "ca.crt": parts["tls.crt"]}}
        assert (await here.meshward.patch(SECRET, "issuer", here.namespace, renewed))["data"] == parts | renewed["data"]
        with pytest.raises(PermanentError, match=r"422 Invalid$"):
            await here.meshward.patch(SECRET, "issuer", here.namespace, {"type": "Opaque"})


async def _is_gone(here: ClusterUnderTest, kind: Kind, name: str) -> bool:
    return await here.meshward.get(kind, name) is None


async def _is_refused_by_a_policy(here: ClusterUnderTest) -> bool:
    desired = {**colours(a="red"), "metadata": {"name": "colours", "namespace": here.namespace}}
    return "denied request: no colours" in await here.meshward.refused(CONFIG_MAP, desired)
