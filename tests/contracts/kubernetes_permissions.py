"""How an API server refuses what a caller may not do."""

from collections.abc import Awaitable

import pytest

from shared.adapters.kubernetes.kinds import CONFIG_MAP, DEPLOYMENT, POD, Permission
from shared.adapters.meshes.linkerd import LinkerdMesh
from shared.domain.errors import TemporaryError
from tests.worlds.api_objects import colours
from tests.worlds.api_server import ClusterUnderTest, InItsOwnNamespace


class PermissionsContract(InItsOwnNamespace):
    async def test_an_expired_token_is_refused(self, here: ClusterUnderTest) -> None:
        with pytest.raises(TemporaryError, match="401") as refused:
            await here.expired.list(CONFIG_MAP, namespace=here.namespace)
        assert refused.value.reason == "Forbidden"

    async def test_a_refusal_names_the_missing_permission(self, here: ClusterUnderTest) -> None:
        caller, where = here.unprivileged, f'in the namespace "{here.namespace}"'
        attempts: dict[str, Awaitable[object]] = {
            'cannot list resource "pods" in API group "" at the cluster scope': caller.list(POD),
            f'cannot get resource "configmaps" in API group "" {where}': caller.get(CONFIG_MAP, "a", here.namespace),
            f'cannot patch resource "deployments" in API group "apps" {where}': caller.patch(
                DEPLOYMENT, "web", here.namespace, {"spec": {"replicas": 5}}
            ),
            f'cannot get resource "pods/proxy" in API group "" {where}': caller.metrics("web", here.namespace, 4191),
        }
        for permission, attempt in attempts.items():
            with pytest.raises(TemporaryError, match=f'403 .*User "[0-9a-f-]+" {permission}') as refused:
                await attempt
            assert refused.value.reason == "Forbidden"

    async def test_missing_permissions_of_a_rotation_are_found_before_it_begins(self, here: ClusterUnderTest) -> None:
        assert await LinkerdMesh(here.meshward).missing_permissions() == []
        missing = await LinkerdMesh(here.unprivileged).missing_permissions()
        assert {"patch daemonsets.apps", "get pods/proxy", "list pods"} < set(missing)
        assert "patch secrets linkerd/linkerd-identity-issuer" in missing

    async def test_a_permission_holds_in_its_namespace_alone(self, here: ClusterUnderTest) -> None:
        await here.grant(CONFIG_MAP, "patch")
        patch = Permission("patch", CONFIG_MAP, here.namespace, "colours")
        await here.until(lambda: here.unprivileged.is_permitted(patch))
        for other in (
            patch._replace(verb="get"),
            patch._replace(namespace="default"),
            patch._replace(subresource="status"),
        ):
            assert not await here.unprivileged.is_permitted(other)

    async def test_applying_a_new_object_needs_the_permission_to_create_it(self, here: ClusterUnderTest) -> None:
        desired = {**colours(a="red"), "metadata": {"name": "colours", "namespace": here.namespace}}
        await here.grant(CONFIG_MAP, "get", "patch")
        await here.until(lambda: _is_allowed(here.unprivileged.get(CONFIG_MAP, "colours", here.namespace)))
        with pytest.raises(
            TemporaryError, match='cannot create resource "configmaps" in API group "" in the namespace'
        ):
            await here.unprivileged.apply(CONFIG_MAP, desired)
        await here.grant(CONFIG_MAP, "create", "patch")
        await here.until(lambda: _is_allowed(here.unprivileged.apply(CONFIG_MAP, desired)))


async def _is_allowed(attempt: Awaitable[object]) -> bool:
    try:
        await attempt
    except TemporaryError as error:
        return error.reason != "Forbidden"
    return True
