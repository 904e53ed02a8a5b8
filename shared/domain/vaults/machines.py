"""Virtual machines as data sources.

    meshward:machines = [<resource group>/]<virtual machine>, …    without a group: the cluster's own

Azure Backup keeps a machine's backups for 7 days at least (Azure docs).
"""

import re
from datetime import timedelta
from typing import Self

from shared.domain.cluster import Cluster
from shared.domain.resource_id import GROUP_NAME, group_scope
from shared.domain.vaults.policy import ProtectPolicy
from shared.domain.vaults.source import JobNames, Source, VaultService

SHORTEST_RETENTION = timedelta(days=7)
_NAMED = re.compile(rf"(?:(?P<group>{GROUP_NAME})/)?(?P<machine>[A-Za-z0-9](?:[\w.-]{{0,62}}\w)?)", re.ASCII)


class VirtualMachine(Source, frozen=True, kw_only=True, tag="machine"):
    """A virtual machine."""

    service = VaultService.RECOVERY_SERVICES
    type = "Microsoft.Compute/virtualMachines"
    cluster_tag = "meshward:machines"
    form = "virtual machines as [<resource group>/]<machine>"
    policies = "machines"

    @property
    def label(self) -> str:
        return f"machine {self.group}/{self.name}"

    @classmethod
    def named(cls, cluster: Cluster, text: str) -> Self | None:
        found = _NAMED.fullmatch(text)
        if found is None:
            return None
        group = group_scope(cluster.subscription_id, found["group"] or cluster.resource_group)
        id = group.child(cls.type, found["machine"])
        return cls(source_id=str(id), name=found["machine"])

    @classmethod
    def label_in_job(cls, job: JobNames) -> str:
        """The container of a machine is called <type>;<resource group>;<machine>."""
        _, *machine = job.container.split(";")
        return f"machine {'/'.join(machine)}" if machine and not job.account else ""

    def unfit(self, terms: ProtectPolicy) -> str:
        if terms.keep >= SHORTEST_RETENTION:
            return ""
        return f"backups of virtual machines are kept for {SHORTEST_RETENTION.days} days at least; keep them longer"
