"""A mesh that is up."""

import pytest

from local.cloud.world import World
from tests.worlds.mesh import MeshWorld
from tests.worlds.times import MINUTE


@pytest.fixture
async def mesh(world: World) -> MeshWorld:
    mesh = MeshWorld(world)
    await world.clock.advance(3 * MINUTE)
    return mesh
