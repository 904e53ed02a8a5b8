from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.cloud.world import World


class Storage:
    def __init__(self, world: "World") -> None:
        self.world = world
