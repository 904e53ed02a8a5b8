"""The simulated world: its clock, its wire and every service, each with state that tests may look at and change."""

from local.cloud.arm import REGION, SUBSCRIPTION, Arm
from local.cloud.backup.vaults import BackupVaultService
from local.cloud.clock import Clock
from local.cloud.consul.mesh import SimulatedConsul
from local.cloud.entra import TENANT, Entra
from local.cloud.event_grid.filters import Event
from local.cloud.event_grid.system_topics import SystemTopics
from local.cloud.event_grid.topics import EventGrid
from local.cloud.insights import Insights
from local.cloud.key_vault.api import KeyVaults
from local.cloud.kubernetes.clusters import KubernetesService
from local.cloud.linkerd.mesh import SimulatedLinkerd
from local.cloud.recovery.vaults import RecoveryVaultService
from local.cloud.resource_guards import ResourceGuards
from local.cloud.resources.aks import Aks
from local.cloud.resources.extensions import Extensions
from local.cloud.resources.file_shares import FileShareService
from local.cloud.resources.identities import Identities
from local.cloud.resources.machines import MachineService
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
    """Everything that exists. Here alone services are put together; each says in its constructor what it needs."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.wire = wire = Wire(clock)
        self.entra = entra = Entra(clock, wire)
        self.arm = arm = Arm(clock, wire, entra)
        self.roles = roles = Roles(arm, entra)
        self.permissions = permissions = Permissions(arm, roles)
        self.resource_groups = groups = ResourceGroups(arm)
        self.resource_graph = ResourceGraph(arm, permissions)
        self.providers = Providers(arm)
        self.identities = Identities(arm, entra, groups)
        self.networks = Networks(arm, groups, permissions)
        self.storage = Storage(arm)
        self.file_shares = FileShareService(arm, entra, groups, permissions)
        self.machines = MachineService(arm, groups)
        self.kubernetes = KubernetesService(clock, wire, entra)
        self.consul = SimulatedConsul(clock, wire, entra)
        self.linkerd = SimulatedLinkerd(clock, self.kubernetes.clusters)
        self.event_grid = EventGrid(clock, wire, entra, permissions)
        self.system_topics = SystemTopics(arm, groups, self.event_grid)
        self.key_vaults = KeyVaults(clock, wire, entra, permissions, publish=self.event_grid.publish)
        self.insights = Insights(clock, wire, entra, permissions)
        self.aks = Aks(arm, groups, self.kubernetes, announce=self._announce)
        self.extensions = Extensions(arm)
        self.resource_guards = ResourceGuards(arm, groups, permissions)
        self.backup_vaults = BackupVaultService(
            arm,
            groups,
            roles,
            guard=self.resource_guards.refuse,
            clusters=self.kubernetes.clusters,
            storage=self.storage,
            machines=self.machines,
        )
        self.recovery_vaults = RecoveryVaultService(
            arm,
            groups,
            roles,
            permissions,
            guard=self.resource_guards.refuse,
            files=self.file_shares,
            machines=self.machines,
            storage=self.storage,
        )

    def _announce(self, event: Event) -> None:
        self.event_grid.publish(EventGrid.SUBSCRIPTION, event)

    async def start(self, port: int = 0) -> None:
        await self.wire.start(port)
        await self.entra.start()

    async def stop(self) -> None:
        await self.entra.stop()
        await self.wire.stop()
