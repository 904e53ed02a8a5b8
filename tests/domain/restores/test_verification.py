"""Which backup is restored, and to where."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import InvalidEvent, PermanentError
from shared.domain.restores.items import ClusterItem, RecoveryPoint, kind_of
from shared.domain.restores.verification import (
    BackupJob,
    isolated_name,
    item_id,
    job_id,
    of_item,
    of_job,
    require_configured,
    require_finished_backup,
    vault_of,
)
from tests.worlds.facts.plans import plan_for

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
POINT = RecoveryPoint(id="p", time=NOW, complete=True)
MINUTE = timedelta(minutes=1)
GUID = "0f0e0d0c-1111-4222-8333-444455556666"
SUBSCRIPTION = "11111111-1111-4111-8111-abcdefabcdef"
RG = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers"
AKS_JOB = f"{RG}/Microsoft.DataProtection/backupVaults/bv/backupJobs/{GUID}"
INSTANCE = AKS_JOB.replace(f"backupJobs/{GUID}", "backupInstances/aks-1")
SHARE_VAULT = f"{RG}/Microsoft.RecoveryServices/vaults/rsv"
SHARE_JOB = f"{SHARE_VAULT.lower()}/backupjobs/{GUID}"
OTHER_FABRIC = f"{SHARE_VAULT}/backupFabrics/Other/protectionContainers/c/protectedItems/i"
CONTAINER = f"{SHARE_VAULT}/backupFabrics/Azure/protectionContainers/c;x"


def backup(operation: str = "Backup", status: str = "Completed") -> BackupJob:
    return BackupJob(
        kind="cluster", id=AKS_JOB, operation=operation, status=status, item="i", source="s", started=NOW, ended=NOW
    )


@pytest.mark.parametrize(("id", "kind", "vault"), [(AKS_JOB, "cluster", "bv"), (SHARE_JOB.upper(), "share", "RSV")])
def test_a_job_s_resource_id_says_what_kind_of_item_it_is_about(id: str, kind: str, vault: str) -> None:
    assert (kind_of(job_id(id)), vault_of(job_id(id)).name) == (kind, vault)


@pytest.mark.parametrize(
    ("id", "kind"),
    [(INSTANCE, "cluster"), (f"{CONTAINER}/protectedItems/AzureFileShare;0f", "share")]
    + [(f"{CONTAINER}/protectedItems/{name};g;m", "machine") for name in ("VM;iaasvmcontainerv2", "vm;x")],
)
def test_an_item_s_resource_id_tells_machines_and_shares_apart(id: str, kind: str) -> None:
    assert kind_of(item_id(id)) == kind_of(item_id(id.upper())) == kind
    assert vault_of(item_id(id)).name in ("bv", "rsv")


@pytest.mark.parametrize(
    "id", ["", GUID, AKS_JOB + "/x", AKS_JOB.replace(GUID, "not-a-guid"), "x" + AKS_JOB, AKS_JOB + "/", AKS_JOB * 99]
)
def test_any_other_id_is_declined(id: str) -> None:
    with pytest.raises(InvalidEvent, match=r"NotABackupJob: .{0,200} isn't the resource id of a backup job$"):
        job_id(id)


def test_a_job_of_a_subscription_that_isn_t_ours_is_declined() -> None:
    require_configured(job_id(AKS_JOB), [SUBSCRIPTION.upper()])
    with pytest.raises(InvalidEvent, match="ForeignSubscription"):
        require_configured(job_id(AKS_JOB), ["t"])


@pytest.mark.parametrize("job", [backup(status="Failed"), backup(operation="Restore"), backup(status="InProgress")])
def test_a_job_that_made_no_copy_is_nothing_to_verify(job: BackupJob) -> None:
    with pytest.raises(PermanentError, match="NothingToVerify"):
        require_finished_backup(job)


def test_status_words_are_compared_without_case() -> None:
    assert require_finished_backup(backup("backup", "COMPLETEDWITHWARNINGS"))


@given(st.from_regex(r"[a-z0-9]([a-z0-9]|-[a-z0-9]){1,29}", fullmatch=True), st.text(min_size=1))
def test_every_isolated_name_is_valid_for_namespaces_and_shares(name: str, secret: str) -> None:
    isolated = isolated_name(name, secret)
    assert len(isolated) <= 63
    assert "--" not in isolated
    assert isolated.replace("-", "").isalnum()
    assert isolated == isolated.lower()


def test_long_names_that_begin_alike_get_different_places() -> None:
    assert isolated_name("a" * 60 + "x", "secret") != isolated_name("a" * 60 + "y", "secret")


def test_nobody_knows_the_name_of_a_copy_who_knows_all_but_the_verification_s_secret() -> None:
    plans = [plan_for(ClusterItem(id="i", source_id="c"), POINT, ("shop",), NOW, secret=s) for s in "ab"]
    first, second = (plan.isolated["shop"] for plan in plans)
    assert first != second
    assert len(first.rpartition("-")[2]) == 16


def test_a_verification_of_a_job_is_named_after_it_and_one_of_a_point_after_both_and_the_minute() -> None:
    assert of_job(AKS_JOB).name.startswith(f"{GUID}-")
    assert of_job(AKS_JOB).name == of_job(AKS_JOB.upper()).name
    first, again = of_item(INSTANCE, "p", NOW), of_item(INSTANCE.upper(), "P", NOW)
    assert first.name != of_item(INSTANCE.replace("/backupVaults/", "/backupVaults/other-"), "p", NOW).name
    assert first.name == again.name != of_item(INSTANCE, "q", NOW).name != of_item(INSTANCE, "q", NOW + MINUTE).name
    assert (first.asked, of_job(AKS_JOB).asked) == (True, False)


@pytest.mark.parametrize("id", ["", AKS_JOB, RG, INSTANCE + "/x", INSTANCE.replace("aks-1", ".."), OTHER_FABRIC])
def test_what_is_no_protected_item_can_t_be_verified(id: str) -> None:
    with pytest.raises(InvalidEvent, match="NotAProtectedItem"):
        of_item(id, "", NOW)
