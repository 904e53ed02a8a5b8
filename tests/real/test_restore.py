"""A backup of a real cluster is verified under the roles of infra/cluster, and nothing is left over.

kwok runs no container: the calls of restored workloads are made and never end, which is a finding and no more.
"""

from pathlib import Path

from local.cloud.world import World
from local.scenario import seed_share
from tests.real.trust_domain import on_real_clusters, seed
from tests.worlds import verifications
from tests.worlds.times import HOUR

UNSWEPT = {"AzureWebJobs.expiry_sweep.Disabled": "true", "AzureWebJobs.issuer_sweep.Disabled": "true"}


def protected(world: World) -> None:
    seed(world, 1)
    world.backup_vaults.protect(verifications.CLUSTER)
    seed_share(world)


async def test_a_backup_of_a_real_cluster_is_verified_and_nothing_is_left_over(tmp_path: Path) -> None:
    async with on_real_clusters(tmp_path, protected, UNSWEPT) as (stage, (gateway,)):
        await stage.clock.advance(HOUR)  # what is to be backed up is older than the backup
        before = await gateway.namespaces()
        result = await verifications.verdict(stage, verifications.back_up(stage))
        assert {reason.partition(":")[0] for reason in result["reasons"]} == {"mesh handshake", "mesh refusal"}
        assert all("wasn't called" in reason for reason in result["reasons"])
        assert result["verdict"] == "VerifiedWithFindings"
        assert await gateway.namespaces() == before
