"""Isolated copies of clusters: namespaces of the cluster that is restored to, and what a restore stages on its way."""

import msgspec

from shared.adapters.azure.clusters import Clusters
from shared.adapters.azure.staging import Staging
from shared.adapters.kubernetes.api import Kubernetes
from shared.adapters.kubernetes.isolation import Namespaces
from shared.domain.cluster import Cluster, require_started
from shared.domain.errors import NotFound, PermanentError
from shared.domain.policy import Policy
from shared.domain.restores.disks import scratch_id
from shared.domain.restores.isolation import require_enforcing
from shared.domain.restores.lease import Delete
from shared.domain.restores.verification import RestorePlan, RestoreSource, still_open


class ClusterCopies(Namespaces):
    """Protected namespaces and their isolated copies, with what restores from the vault tier stage."""

    def __init__(self, kubernetes: Kubernetes, clusters: Clusters, staging: Staging) -> None:
        super().__init__(kubernetes)
        self._clusters, self._staging = clusters, staging

    async def with_target(self, source: RestoreSource, policy: Policy) -> RestoreSource:
        """The source with the cluster that it is restored to; raises PermanentError where that can't take it."""
        cluster = await self._running(source.item.source_id)
        domain = cluster.trust_domain
        knobs = policy.at(domain, cluster.id).verify
        target = await self._running(knobs.scratch_cluster) if knobs.scratch_cluster else cluster
        for each in (cluster, target):
            policy.allow_list.contactable(each.trust_domain, each.id)
        require_enforcing(target.name, target.network_policy)
        if target.location.lower() != cluster.location.lower():
            raise PermanentError(
                "ScratchElsewhere",
                f"scratch cluster {target.name} isn't in {cluster.location}, where {cluster.name} is",
            )
        return msgspec.structs.replace(
            source,
            target_id=target.id,
            trust_domain=domain,
            target_domain=target.trust_domain,
            staging=knobs.staging_account,
            staging_group=scratch_id(source.item, knobs.scratch_group) if knobs.scratch_group else "",
        )

    async def remove(self, plan: RestorePlan, delete: Delete) -> list[str]:
        """Ask for the end of the namespaces and of what was staged; the names of what is still there.

        A restore that goes on would make its namespaces again, without our mark: nothing is removed under it.
        """
        jobs = await self._staging.sorted_jobs(plan)
        running = still_open(jobs.possible)
        if running:
            return running
        namespaces = await super().remove(plan, delete)
        return [*namespaces, *await self._staging.remove(plan, jobs.own, jobs.others, delete)]

    async def _running(self, id: str) -> Cluster:
        cluster = await self._clusters.get(id)
        if cluster is None:
            raise NotFound("ClusterGone", f"{id} isn't there (any more)")
        return require_started(cluster)
