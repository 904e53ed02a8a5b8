"""Shares of Azure Files as data sources.

    meshward:files = [<resource group>/]<storage account>/<share>, …    without a group: the cluster's node group

A storage account belongs to one vault, and lies in the vault's region. Backups are snapshots, and Azure Files keeps up
to 200 of a share (Azure docs).
"""

import re
from datetime import timedelta
from typing import Self

from shared.domain.cluster import Cluster
from shared.domain.resource_id import ACCOUNT_NAME, GROUP_NAME, ResourceId, group_scope
from shared.domain.vaults.policy import ProtectPolicy
from shared.domain.vaults.source import FoundItem, JobNames, Source, VaultService

SNAPSHOTS = 200
FILE_BACKUP_CONTRIBUTOR = "c8a487a2-c85b-4487-83a1-9f04cde10293"
FILE_RESTORE_CONTRIBUTOR = "e7a9e73d-4397-41f2-a282-af8b65aaa2dc"
_NAMED = re.compile(
    rf"(?:(?P<group>{GROUP_NAME})/)?(?P<account>{ACCOUNT_NAME})/(?P<share>[a-z0-9](?:-?[a-z0-9]){{2,62}})"
)


class FileShare(Source, frozen=True, kw_only=True, tag="share"):
    """A share, by its storage account and its name."""

    service = VaultService.RECOVERY_SERVICES
    type = "Microsoft.Storage/storageAccounts"
    cluster_tag = "meshward:files"
    form = "file shares as [<resource group>/]<storage account>/<share>"
    policies = "files"
    roles = (FILE_BACKUP_CONTRIBUTOR, FILE_RESTORE_CONTRIBUTOR)  # isolated copies are restored there too
    in_account = True

    @property
    def account(self) -> str:
        return ResourceId(self.source_id).name

    @property
    def label(self) -> str:
        return f"share {self.account}/{self.name}"

    @classmethod
    def named(cls, cluster: Cluster, text: str) -> Self | None:
        found = _NAMED.fullmatch(text)
        group = (found and found["group"]) or cluster.node_resource_group
        if found is None or not group:
            return None
        id = group_scope(cluster.subscription_id, group).child(cls.type, found["account"])
        return cls(source_id=str(id), name=found["share"])

    @classmethod
    def label_in_job(cls, job: JobNames) -> str:
        return f"share {job.account}/{job.name}" if job.account else ""

    def unfit(self, terms: ProtectPolicy) -> str:
        if timedelta(days=1) / terms.backup_every * terms.keep.days <= SNAPSHOTS:
            return ""
        return f"its backups would need more than {SNAPSHOTS} snapshots; keep fewer, or back up less often"

    def protected_by(self, item: FoundItem) -> bool:
        return super().protected_by(item) and item.name == self.name
