"""The simulated world: its clock, its wire and every service, each with state that tests may look at and change."""

from local.cloud.arm import REGION, SUBSCRIPTION, TENANT, Arm
from local.cloud.backup.guards import ResourceGuards
from local.cloud.backup.vaults import BackupVaults
from local.cloud.clock import Clock
from local.cloud.entra import Entra
from local.cloud.event_grid.system_topics import SystemTopics
from local.cloud.event_grid.topics import EventGrid
from local.cloud.insights import Insights
from local.cloud.key_vault.api import KeyVaults
from local.cloud.kubernetes.clusters import Kubernetes
from local.cloud.linkerd.mesh import Linkerd
from local.cloud.recovery.vaults import RecoveryVaults
from local.cloud.resources.aks import Aks
from local.cloud.resources.extensions import Extensions
from local.cloud.resources.file_shares import FileShares
from local.cloud.resources.identities import Identities
from local.cloud.resources.machines import Machines
from local.cloud.resources.networks import Networks
from local.cloud.resources.permissions import Permissions
from local.cloud.resources.providers import Providers
from local.cloud.resources.resource_graph import ResourceGraph
from local.cloud.resources.resource_groups import ResourceGroups
from local.cloud.resources.roles import Roles
from local.cloud.resources.storage import Storage
from local.cloud.wire import Wire

__all__ = ["REGION", "SUBSCRIPTION", "TENANT", "World"]


class World:
    """Everything that exists. Services find each other through it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.wire = Wire(clock)
        self.entra = Entra(self)
        self.arm = Arm(self)
        self.providers = Providers(self)
        self.resource_groups = ResourceGroups(self)
        self.roles = Roles(self)
        self.permissions = Permissions(self)
        self.identities = Identities(self)
        self.networks = Networks(self)
        self.storage = Storage(self)
        self.aks = Aks(self)
        self.machines = Machines(self)
        self.extensions = Extensions(self)
        self.backup_vaults = BackupVaults(self)
        self.recovery_vaults = RecoveryVaults(self)
        self.resource_guards = ResourceGuards(self)
        self.resource_graph = ResourceGraph(self)
        self.key_vaults = KeyVaults(self)
        self.event_grid = EventGrid(self)
        self.system_topics = SystemTopics(self)
        self.insights = Insights(self)
        self.file_shares = FileShares(self)
        self.kubernetes = Kubernetes(self.clock, self.wire, self.entra)
        self.linkerd = Linkerd(self.clock, self.kubernetes.clusters)

    async def start(self, port: int = 0) -> None:
        await self.wire.start(port)
        await self.entra.start()

    async def stop(self) -> None:
        await self.entra.stop()
        await self.wire.stop()
