"""A Backup vault with the tags that tell whose it is."""

from shared.domain.incarnation import Incarnation
from shared.domain.vaults.tagged import TaggedVault
from tests.worlds.facts.protections import SUBSCRIPTION


def vault(
    name: str,
    *,
    group: str = "rg-backup",
    cluster: str = "rg-clusters/aks-a",
    born: str = "",
    told: Incarnation | None = None,
) -> TaggedVault:
    """The vault of an incarnation that its tag tells; one of an earlier version says when it was `born`."""
    tag = {"meshward:cluster-incarnation": told.text} if told else {"meshward:cluster-created-at": born}
    return TaggedVault(
        id=f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{name}",
        location="westeurope",
        tags={"meshward:cluster": cluster, **tag},
    )
