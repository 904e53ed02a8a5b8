"""Which vaults have outlived their clusters, by their tags and by what was seen."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from shared.domain.errors import Conflict, NotConverged
from shared.domain.incarnation import Incarnation
from shared.domain.vaults.findings import Found
from shared.domain.vaults.policy import ProtectPolicy
from shared.domain.vaults.protection import Protection
from shared.domain.vaults.release import (
    Absence,
    Remains,
    is_gone,
    may_delete,
    protections,
    registrations_to_end,
    require_absent,
    require_confirmed,
    require_deleted,
)
from shared.domain.vaults.source import FoundItem
from shared.domain.vaults.tagged import TaggedVault
from tests.worlds.facts.protections import BORN, PROTECTION, cluster, protection_named
from tests.worlds.facts.tagged import vault

EARLIER = "2026-12-01T08:00:00+00:00"
NOW = datetime(2027, 3, 1, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)


def protected_by(*vaults: TaggedVault) -> list[Protection]:
    return protections(vaults, lambda _: ProtectPolicy())


@pytest.mark.parametrize(
    "odd",
    [
        vault("bv-odd", born="the day before"),
        vault("bv-odd", born="2026-13-01"),
        vault("bv-odd", cluster="rg-a"),
        vault("bv-odd", cluster="../aks-a"),
        vault("bv-odd", group="gruppe-größe"),
    ],
)
def test_a_vault_that_doesn_t_name_a_life_of_a_cluster_is_left_alone_and_hides_no_other(odd: TaggedVault) -> None:
    assert [protection.cluster for protection in protected_by(odd, vault("bv-a"))] == ["aks-a"]


def test_the_names_of_a_vault_come_from_its_tags_also_from_those_of_earlier_versions() -> None:
    (found,) = protected_by(vault("bv-a", told=BORN))
    assert found.backup_vault == protection_named("aks-a").backup_vault
    (earlier,) = protected_by(vault("bv-a", born=EARLIER))
    assert earlier.backup_vault == "bv-aks-a-c8e67d26"


@pytest.mark.parametrize(
    ("told", "now", "gone"),
    [
        (BORN.text, BORN, False),
        (BORN.text, Incarnation(principal="another"), True),
        (BORN.text, Incarnation(principal=BORN.principal, uid="another"), False),
        (BORN.text, Incarnation(principal="another", uid="another"), True),
        (BORN.text, Incarnation(), False),
        (EARLIER, BORN, False),
        ("", BORN, False),
        ("", Incarnation(), False),
    ],
)
def test_a_cluster_is_another_one_only_if_both_tell_what_they_are(told: str, now: Incarnation, *, gone: bool) -> None:
    (found,) = protected_by(vault("bv-a", born=told))
    assert is_gone(found, cluster("aks-a", incarnation=now)) is gone
    assert is_gone(found, None)


def test_being_seen_again_ends_an_absence() -> None:
    first = Absence().after(NOW, gone=True, free=True)
    assert first.after(NOW + HOUR, gone=True, free=True) == first
    seen = first.after(NOW + HOUR, gone=False, free=False)
    assert seen.after(NOW + 2 * HOUR, gone=True, free=True).since == NOW + 2 * HOUR


def test_a_release_needs_two_looks_a_day_apart_that_find_nothing_with_the_id() -> None:
    gone = Absence(since=NOW, free=NOW)
    assert require_confirmed(PROTECTION, gone, None, NOW + 24 * HOUR) == NOW
    taken_before = Absence(since=NOW - 99 * HOUR, free=NOW)
    unread = Absence(since=NOW - 99 * HOUR)
    for absence, reason in (
        (gone, "NotConfirmed"),
        (taken_before, "NotConfirmed"),
        (unread, "NotConfirmed"),
        (Absence(), "ClusterIsThere"),
    ):
        with pytest.raises(Conflict, match=reason):
            require_confirmed(PROTECTION, absence, None, NOW + 23 * HOUR)


ANOTHER = Incarnation(principal="another", uid="another")
REPLACED = Incarnation(principal="another")


@pytest.mark.parametrize(
    ("now", "was_free", "proven"),
    [(ANOTHER, False, True), (REPLACED, False, False), (REPLACED, True, True)],
)
def test_that_another_incarnation_has_the_id_is_proven_by_resource_uids_or_by_a_day_without_any(
    now: Incarnation, *, was_free: bool, proven: bool
) -> None:
    gone, there = Absence(since=NOW, was_free=was_free), cluster(incarnation=now)
    if proven:
        assert require_confirmed(PROTECTION, gone, there, NOW + 24 * HOUR) == NOW
    with pytest.raises(Conflict, match="NotConfirmed" if proven else "NotProven"):
        require_confirmed(PROTECTION, gone, there, NOW + 23 * HOUR)


@pytest.mark.parametrize(("uid", "gone"), [("another", True), (BORN.uid, False)])
def test_what_nothing_proves_an_operator_settles_by_the_uid_in_the_vault_s_tag(uid: str, *, gone: bool) -> None:
    tag = Incarnation(principal="before", uid=uid)
    assert tag.key == "before", "names stay"
    (found,) = protected_by(vault("bv-a", told=tag))
    now = cluster("aks-a", incarnation=BORN)
    assert is_gone(found, now) is gone
    if gone:
        assert require_confirmed(found, Absence(since=NOW), now, NOW + 24 * HOUR) == NOW


def test_that_the_id_was_free_for_a_day_is_kept_while_another_incarnation_has_it_and_no_longer() -> None:
    free = Absence().after(NOW, gone=True, free=True)
    assert not free.after(NOW + 23 * HOUR, gone=True, free=True).was_free
    confirmed = free.after(NOW + 24 * HOUR, gone=True, free=True)
    taken = confirmed.after(NOW + 25 * HOUR, gone=True, free=False)
    assert (taken.was_free, taken.free, taken.since) == (True, None, NOW)
    assert taken.after(NOW + 26 * HOUR, gone=False, free=False) == Absence()


def test_a_vault_whose_cluster_s_id_is_taken_again_is_left_to_people() -> None:
    require_absent(PROTECTION, None)
    with pytest.raises(Conflict, match="CreatedAgain"):
        require_absent(PROTECTION, cluster())


PART = "Backup vault bv"


@pytest.mark.parametrize(
    ("state", "may"),
    [("Succeeded", True), ("Failed", True), ("Canceled", True), ("Deleting", False), ("DELETING", False)],
)
def test_what_is_being_deleted_isn_t_deleted_again(state: str, *, may: bool) -> None:
    assert may_delete(PART, Found(state=state)) is may


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("Provisioning", "Provisioning"),
        ("Updating", "Provisioning"),
        ("", "StateUnknown"),
        ("Dreaming", "StateUnknown"),
    ],
)
def test_what_azure_is_at_work_on_or_in_a_state_that_nobody_knows_isn_t_deleted(state: str, reason: str) -> None:
    with pytest.raises(NotConverged, match=f"^{reason}: {PART}"):
        may_delete(PART, Found(state=state))


INSTANCE = FoundItem(
    id=PROTECTION.instance_id, source_id="c", name="a", state="ProtectionConfigured", policy="", deleted=False
)
ITEM = FoundItem(
    id=f"{PROTECTION.recovery_services_vault_id}/backupFabrics/Azure/protectionContainers/c/protectedItems/i",
    source_id="s",
    name="carts",
    state="IRPending",
    policy="",
    deleted=False,
)


@pytest.mark.parametrize(
    ("item", "state"),
    [
        (INSTANCE, "ProtectionDreaming"),
        (INSTANCE, ""),
        (INSTANCE, "IRPending"),  # a word of Recovery Services vaults alone
        (ITEM, "ProtectionDreaming"),
        (ITEM, ""),
        (ITEM, "ProtectionConfigured"),  # a word of Backup vaults alone
    ],
)
def test_backups_in_a_state_that_nobody_knows_are_neither_deleted_nor_taken_for_deleted(
    item: FoundItem, state: str
) -> None:
    odd = msgspec.structs.replace(item, name="odd", state=state)
    remains = Remains(parts=(), items=(INSTANCE, odd, ITEM))
    assert remains.deletable_items == [INSTANCE, ITEM]
    with pytest.raises(NotConverged, match="StateUnknown: the backup of odd is"):
        require_deleted(remains)


def test_the_registration_of_an_account_is_ended_unless_azure_is_at_work_on_it_or_nobody_knows_its_state() -> None:
    assert registrations_to_end({"a": "Registered", "b": "Unregistering", "c": "NotRegistered"}) == ["a", "c"]
    with pytest.raises(NotConverged, match="StateUnknown"):
        registrations_to_end({"a": "Registered", "b": "Dreaming"})


def test_a_backup_that_azure_is_at_work_on_isn_t_deleted_yet() -> None:
    remains = Remains(parts=(), items=(msgspec.structs.replace(INSTANCE, state="UpdatingProtection"), ITEM))
    assert remains.deletable_items == [ITEM]
    with pytest.raises(NotConverged, match="Deleting: the backups of a, carts are being deleted"):
        require_deleted(remains)


def test_what_is_deleted_is_neither_deleted_again_nor_judged_by_its_state() -> None:
    remains = Remains(parts=(), items=(msgspec.structs.replace(ITEM, state="ProtectionDreaming", deleted=True),))
    assert remains.deletable_items == []
    require_deleted(remains)
