"""A mesh that is up."""

import pytest

from local.cloud.world import World
from tests.worlds.mesh import Mesh
from tests.worlds.times import MINUTE


@pytest.fixture
async def mesh(world: World) -> Mesh:
    mesh = Mesh(world)
    await world.clock.advance(3 * MINUTE)
    return mesh
