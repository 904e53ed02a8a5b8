"""The simulated world: its clock, its wire and every service, each with state that tests may look at and change."""

from local.cloud.arm import REGION, SUBSCRIPTION, Arm
from local.cloud.backup.guards import ResourceGuards
from local.cloud.backup.vaults import BackupVaults
from local.cloud.clock import Clock
from local.cloud.entra import TENANT, Entra
from local.cloud.event_grid.filters import Event
from local.cloud.event_grid.system_topics import SystemTopics
from local.cloud.event_grid.topics import EventGrid
from local.cloud.insights import Insights
from local.cloud.key_vault.api import KeyVaults
from local.cloud.kubernetes.cluster import Kubernetes
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
        self.entra = Entra(clock, self.wire)
        self.arm = arm = Arm(clock, self.wire, self.entra)
        self.roles = Roles(arm, self.entra)
        self.permissions = Permissions(arm, self.roles)
        self.resource_groups = ResourceGroups(arm)
        self.resource_graph = ResourceGraph(arm, self.permissions)
        self.providers = Providers(arm)
        self.identities = Identities(arm, self.entra, self.resource_groups)
        self.networks = Networks(arm, self.resource_groups, self.permissions)
        self.storage = Storage(arm)
        self.file_shares = FileShares(arm, self.entra, self.resource_groups, self.permissions)
        self.machines = Machines(arm, self.resource_groups)
        self.kubernetes = Kubernetes(self)
        self.linkerd = Linkerd(self)
        self.event_grid = EventGrid(clock, self.wire, self.entra, self.permissions)
        self.system_topics = SystemTopics(arm, lambda topic: self.event_grid.topic(topic).subscriptions.values())
        self.aks = Aks(arm, self.resource_groups, self.kubernetes, announce=self._of_subscription)
        self.extensions = Extensions(arm)
        self.resource_guards = ResourceGuards(arm, self.resource_groups, self.permissions)
        self.backup_vaults = BackupVaults(
            arm,
            self.resource_groups,
            self.roles,
            guards=self.resource_guards,
            clusters=self.kubernetes.clusters,
            containers=self.storage,
            disks=self.machines,
        )
        self.recovery_vaults = RecoveryVaults(self)
        self.key_vaults = KeyVaults(clock, self.wire, self.entra, self.permissions, publish=self.event_grid.publish)
        self.insights = Insights(clock, self.wire, self.entra, self.permissions)

    def _of_subscription(self, event: Event) -> None:
        self.event_grid.publish(EventGrid.SUBSCRIPTION, event)

    async def start(self, port: int = 0) -> None:
        await self.wire.start(port)
        await self.entra.start()

    async def stop(self) -> None:
        await self.entra.stop()
        await self.wire.stop()
