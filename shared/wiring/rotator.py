"""What the rotator reaches: Key Vault and the objects of the mesh."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.settings import Settings
from shared.wiring.duty import Duty, ReadAllowList

if TYPE_CHECKING:
    from shared.adapters.azure.key_vault import KeyVault
    from shared.adapters.meshes.linkerd import Linkerd


class Rotator(Duty):
    """The outer world with the rights of the identity that rotates trust."""

    def __init__(self, settings: Settings, allow_list: ReadAllowList) -> None:
        super().__init__(settings, settings.rotator_client_id, allow_list)

    @cached_property
    def key_vault(self) -> "KeyVault":
        """The vault of the trust roots."""
        from shared.adapters.azure.key_vault import KeyVault

        return KeyVault(self._settings, self.credential)

    @cached_property
    def linkerd(self) -> "Linkerd":
        """The mesh of every cluster."""
        from shared.adapters.meshes.linkerd import Linkerd

        return Linkerd(self.kubernetes)
