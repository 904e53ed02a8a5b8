from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.errors import PermanentError
from shared.domain.restores.disks import Disk, copied, covered, leftover_disks, of_disks, restored, staging_container
from shared.domain.restores.verification import RestoreJob

BEGAN = datetime(2027, 1, 15, 9, 0, tzinfo=UTC)
ENDED = BEGAN + timedelta(minutes=35)
VM = "vm-ledger-1"
STAGED = f"vmledger1-{'0f' * 16}"


def job(began: datetime = BEGAN, staging: str = STAGED, ended: datetime | None = ENDED) -> RestoreJob:
    return RestoreJob(id="j", status="Completed", started=began, ended=ended, target="rg-scratch", staging=staging)


def disk(
    kind: str = "osdisk", at: datetime = ENDED, *, stem: str = "vmledger1", size: int = 30, holder: str = ""
) -> Disk:
    return Disk(name=f"{stem}-{kind}-{at:%Y%m%d-%H%M%S}", size=size, made=at, holder=holder)


def names(found: dict[str, dict[int | None, Disk]]) -> list[str]:
    return [disk.name for disks in found.values() for disk in disks.values()]


def test_disks_are_told_apart_by_their_lun_and_compared_by_size() -> None:
    entries = of_disks({None: disk(), 3: disk("datadisk-003", size=128)})
    assert {name: entry.size for name, entry in entries.items()} == {"system disk": 30, "data disk 3": 128}


@pytest.mark.parametrize(
    ("included", "excluded", "left"),
    [((), (), [None, 0, 1]), (("1",), (), [None, 1]), ((), ("1",), [None, 0])],
)
def test_a_backup_may_leave_out_data_disks_but_never_the_system_s(
    included: tuple[str, ...], excluded: tuple[str, ...], left: list[int | None]
) -> None:
    assert list(covered({None: disk(), 0: disk(), 1: disk()}, included, excluded)) == left


def test_the_disks_of_a_restore_are_those_of_its_machine_and_its_time() -> None:
    ours = [disk(), disk("datadisk-000"), disk("datadisk-011")]
    (found,) = restored(ours, [job()], VM).values()
    assert list(found) == [None, 0, 11]


@pytest.mark.parametrize(
    "other",
    [
        disk("datadisk-000", stem="vmledger10"),
        disk("datadisk-000", at=BEGAN - timedelta(hours=1)),
        disk("datadisk-000", at=ENDED + timedelta(hours=1)),
        disk("datadisk-000", holder="/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/x"),
        disk("snapshot"),
        disk("datadisk-1"),
        Disk(name="vmledger1-datadisk-000-20270115-999999", size=30, made=ENDED),
        Disk(name="vmledger1-datadisk-000-20270115-093500", size=30, made=BEGAN - timedelta(days=1)),
        Disk(name="vmledger1-datadisk-000-20270114-093500", size=30, made=ENDED),
        Disk(name="data", size=30, made=ENDED),
    ],
    ids=[
        "another machine",
        "earlier",
        "later",
        "in use",
        "another kind",
        "no LUN",
        "no time",
        "made before",
        "said before",
        "a name",
    ],
)
def test_a_disk_of_which_that_is_not_proven_is_left_alone(other: Disk) -> None:
    assert names(restored([disk(), other], [job()], VM)) == [disk().name]


def test_a_job_that_runs_on_has_no_end() -> None:
    assert names(restored([disk(at=ENDED + timedelta(hours=9))], [job(ended=None)], VM))


def test_disks_of_more_moments_than_jobs_are_left_alone() -> None:
    both = [disk(), disk(at=ENDED - timedelta(minutes=5))]
    with pytest.raises(PermanentError, match="ScratchShared"):
        restored(both, [job()], VM)
    assert len(names(restored(both, [job(), job(BEGAN + timedelta(seconds=5))], VM))) == 2


def test_what_a_job_says_of_its_staging_container_goes_over_the_machine_s_name() -> None:
    windows = f"clitestvmzosbo-{'a' * 32}"
    assert names(restored([disk(stem="clitestvmzosbo")], [job(staging=windows)], "clitest-vmzosbo-long"))


def test_without_that_the_machine_s_letters_count_as_windows_cuts_them_or_not() -> None:
    long = "clitest-vmzosbo-long"
    assert names(restored([disk(stem="clitestvmzosbo")], [job(staging="")], long))
    assert names(restored([disk(stem="clitestvmzosbolong")], [job(staging="")], long))
    assert not names(restored([disk(stem="clitestvm")], [job(staging="")], long))


def test_disks_that_bear_no_known_name_make_the_copy_unknown_instead_of_empty() -> None:
    with pytest.raises(PermanentError, match="DisksNotRecognised"):
        copied([Disk(name="somehow", size=30, made=ENDED)], [job()], VM)
    assert copied([], [job()], VM) == {}
    assert list(copied([disk()], [job()], VM)) == [None]


def test_disks_of_any_restore_of_the_machine_are_in_the_way_of_the_next() -> None:
    other = disk(stem="vmother")
    assert leftover_disks([disk(at=BEGAN - timedelta(days=9)), other], VM) == [disk(at=BEGAN - timedelta(days=9)).name]


def test_only_a_container_called_as_azure_backup_calls_it_is_the_staging_container() -> None:
    assert staging_container(job()) == STAGED
    assert [staging_container(job(staging=name)) for name in ("", "orders", "vm/x", "$logs")] == [""] * 4
