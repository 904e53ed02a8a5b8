"""The contract of an API server, kept by the simulated one."""

import ssl
from collections.abc import AsyncIterator
from contextlib import nullcontext
from datetime import timedelta

import httpx2
import pytest

from local.cloud.kubernetes.api import AUDIENCE
from local.cloud.world import World
from tests.contracts.kubernetes import KubernetesContract
from tests.worlds.api_objects import admin
from tests.worlds.api_server import ClusterUnderTest, opened


class TestSimulatedApiServer(KubernetesContract):
    @pytest.fixture
    async def cluster(self, world: World) -> AsyncIterator[ClusterUnderTest]:
        world.aks.add("aks-east")
        simulated = world.kubernetes.clusters["aks-east"]

        async def wait() -> None:
            await world.clock.advance(timedelta(seconds=1))

        async def compact() -> None:
            simulated.forget_history()

        simulated.authorization_mode = "RBAC"
        anyone = world.entra.add("other")
        simulated.apply(admin(anyone.object_id))
        headers = {"Authorization": f"Bearer {world.entra.token(anyone, AUDIENCE)}"}
        trust = ssl.create_default_context(cadata=world.wire.ca_pem.decode())
        url = f"{world.wire.url}/k8s/aks-east"
        async with (
            httpx2.AsyncClient(base_url=url, headers=headers, verify=trust, trust_env=False, timeout=60) as other,
            # Its kubelets stand still as long as nobody waits.
            opened(world, "aks-east", other, wait=wait, compact=compact, paused=nullcontext) as cluster,
        ):
            yield cluster
