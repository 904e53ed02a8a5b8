"""How clusters are counted."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.restores.watch import WatchedJob
from shared.domain.vaults.census import CensusVolume, Proof, Standing, by_source, census, good_backups, lost
from shared.domain.vaults.source import FoundItem
from tests.worlds.facts.protections import cluster

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
AT = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg/providers"
RECOVERY = f"{AT}/Microsoft.RecoveryServices/vaults"
BACKUP = f"{AT}/Microsoft.DataProtection/backupVaults"
INSTANCE = FoundItem(
    id=f"{BACKUP}/bv/backupInstances/I",
    source_id="c",
    name="I",
    deleted=False,
    state="ProtectionConfigured",
    policy="p",
)


def standings(protected: int, others: int) -> list[Standing]:
    return [Standing(cluster=f"c{n}", protected=n < protected) for n in range(protected + others)]


@given(st.integers(0, 5000), st.integers(1, 5000))
def test_coverage_says_100_only_when_every_cluster_is_protected(protected: int, others: int) -> None:
    counted = census(standings(protected, others), NOW).coverage_percent
    assert 0 <= counted <= 100 * protected / (protected + others)
    assert counted < 100
    assert census(standings(protected + others, 0), NOW).coverage_percent == 100


def test_an_instance_that_protects_its_cluster_isn_t_hidden_by_one_that_doesn_t() -> None:
    stopped = msgspec.structs.replace(INSTANCE, id=f"{INSTANCE.id}-2", source_id="C", state="ProtectionStopped")
    assert by_source([INSTANCE, stopped]) == by_source([stopped, INSTANCE]) == {"c": INSTANCE}
    assert by_source([stopped]) == {"c": stopped}


def test_clusters_that_need_somebody_come_first() -> None:
    assert [s.protected for s in census(standings(2, 1), NOW).clusters] == [False, True, True]


def test_a_backup_counts_if_it_is_of_the_instance_and_made_a_copy() -> None:
    def job(name: str, hours: int, *, item: str = INSTANCE.id, operation: str = "Backup", status: str) -> WatchedJob:
        at = NOW + timedelta(hours=hours)
        return WatchedJob(id=name, operation=operation, status=status, started=at, ended=at, item=item)

    jobs = [
        job("old", 1, status="Completed"),
        job("new", 2, status="CompletedWithWarnings", item=INSTANCE.id.upper()),
        job("failed", 3, status="Failed"),
        job("restore", 4, operation="Restore", status="Completed"),
        job("another's", 5, item="/other", status="Completed"),
    ]
    assert [found.id for found in good_backups(jobs, INSTANCE.id)] == ["new", "old"]


def test_a_backup_of_a_volume_counts_if_a_job_of_its_own_vault_names_it() -> None:
    def job(vault: str, hours: int, volume: str) -> WatchedJob:
        at = NOW + timedelta(hours=hours)
        id = f"{RECOVERY}/{vault}/backupJobs/{hours}"
        return WatchedJob(id=id, operation="Backup", status="Completed", started=at, ended=at, volume=volume)

    jobs = [job("RSV", 1, "share st/Carts"), job("rsv-2", 2, "share st/carts"), job("rsv", 3, "machine st/carts")]
    item = f"{RECOVERY}/rsv/backupFabrics/Azure/protectionContainers/c/protectedItems/i"
    assert [found.id for found in good_backups(jobs, item, "share st/carts")] == [f"{RECOVERY}/RSV/backupJobs/1"]


def test_what_was_known_of_a_volume_is_found_by_its_item() -> None:
    proof = Proof(last_verified_restore=NOW)
    volume = CensusVolume(name="share st/carts", protected=True, item="/item", proof=proof)
    assert census([Standing(cluster="c", protected=False, volumes=(volume,))], NOW).proof("/ITEM") == proof


def test_what_was_known_of_an_instance_is_found_whatever_the_case_of_its_id() -> None:
    proof = Proof(last_good_backup=NOW)
    before = census([Standing(cluster="c", protected=True, instance=INSTANCE.id, proof=proof)], NOW)
    assert before.proof(INSTANCE.id.upper()) == proof
    assert before.proof("/other") == Proof()


@pytest.mark.parametrize(
    ("state", "reason"), [("ProtectionStopped", "ProtectionLost"), ("ProtectionDreaming", "StateUnknown")]
)
def test_an_instance_that_doesn_t_protect_any_more_says_whether_its_state_is_known(state: str, reason: str) -> None:
    standing = lost(cluster(), msgspec.structs.replace(INSTANCE, state=state))
    assert (standing.protected, standing.reason) == (False, reason)
    assert state in standing.message
    assert lost(cluster(), None).reason == "ProtectionLost"
