"""What is found of a cluster's protection, and whether it will do."""

import msgspec
import pytest

from shared.domain.errors import NotConverged, PermanentError
from shared.domain.operations import FoundOperation, OperationResult, concluded
from shared.domain.vaults.findings import (
    Found,
    FoundAccount,
    FoundInstance,
    require_installed,
    require_protected,
    require_settled,
    require_unclaimed,
)
from shared.domain.vaults.policy import ProtectPolicy, Redundancy
from shared.domain.vaults.protection import protection_of
from shared.domain.vaults.source import VaultService
from shared.domain.vaults.strength import at_least, flaws, require_strong, weaknesses
from tests.worlds.facts.protections import EXTENSION, INSTANCE, PROTECTION, VAULT, cluster

REQUIREMENTS = PROTECTION.requirements(VaultService.BACKUP)


def test_what_was_asked_for_counts_only_when_it_is_seen() -> None:
    with pytest.raises(NotConverged, match="Asked: the vault"):
        require_settled("the vault", None)
    found = Found(state="succeeded")
    assert require_settled("the vault", found) is found


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("Provisioning", "Provisioning"),
        ("Updating", "Provisioning"),
        ("Creating", "Provisioning"),
        ("Unknown", "StateUnknown"),
        ("", "StateUnknown"),
    ],
)
def test_every_state_but_succeeded_means_later_and_one_that_nobody_knows_says_so(state: str, reason: str) -> None:
    with pytest.raises(NotConverged, match=f"^{reason}: the vault is"):
        require_settled("the vault", Found(state=state))


@pytest.mark.parametrize("state", ["Failed", "failed", "Canceled", "Deleting"])
def test_an_end_without_success_is_told_in_the_services_words(state: str) -> None:
    with pytest.raises(PermanentError, match="no quota left; remove it"):
        require_settled("the vault", Found(state=state, message="no quota left"))


@pytest.mark.parametrize(
    ("found", "step"), [("", "Unlocked"), ("Disabled", "Unlocked"), ("Unlocked", "Locked"), ("Locked", "Locked")]
)
def test_a_vault_is_locked_only_once_it_is_unlocked(found: str, step: str) -> None:
    terms = msgspec.structs.replace(PROTECTION.terms, lock=(PROTECTION.backup_vault,))
    locked = msgspec.structs.replace(PROTECTION, terms=terms).requirements(VaultService.BACKUP)
    assert at_least(locked, msgspec.structs.replace(VAULT, immutability=found)).immutability == step


def test_a_vault_as_wanted_is_strong() -> None:
    assert require_strong(REQUIREMENTS, VAULT) is VAULT
    assert weaknesses(REQUIREMENTS, VAULT) == []


@pytest.mark.parametrize(
    "stronger", [{"soft_delete": "AlwaysOn"}, {"soft_delete_days": 180}, {"immutability": "Locked"}]
)
def test_a_stronger_vault_will_do_and_is_never_made_weaker(stronger: dict[str, str | float]) -> None:
    vault = msgspec.structs.replace(VAULT, **stronger)
    assert require_strong(REQUIREMENTS, vault) is vault
    assert weaknesses(REQUIREMENTS, vault) == []
    for name, value in stronger.items():
        assert getattr(at_least(REQUIREMENTS, vault), name) == value


@pytest.mark.parametrize(
    ("weaker", "named"),
    [
        ({"redundancy": "LocallyRedundant"}, "redundancy is LocallyRedundant"),
        ({"redundancy": "ZoneRedundant"}, "redundancy is ZoneRedundant"),
        ({"principal": ""}, "no system-assigned identity"),
    ],
)
def test_what_cant_be_made_stronger_is_refused_and_named(weaker: dict[str, str], named: str) -> None:
    with pytest.raises(PermanentError, match=f"VaultTooWeak.*{named}"):
        require_strong(REQUIREMENTS, msgspec.structs.replace(VAULT, **weaker))


@pytest.mark.parametrize(
    ("fallback", "found", "will_do"),
    [
        ("ZoneRedundant", "ZoneRedundant", True),
        ("ZoneRedundant", "GeoRedundant", True),
        ("ZoneRedundant", "LocallyRedundant", False),
        (None, "ZoneRedundant", False),
    ],
)
def test_less_redundancy_will_do_only_if_the_policy_document_says_so(
    fallback: Redundancy | None, found: str, will_do: bool
) -> None:
    protection = protection_of(cluster(), "rg-backup", ProtectPolicy(redundancy_fallback=fallback))
    assert (
        flaws(protection.requirements(VaultService.BACKUP), msgspec.structs.replace(VAULT, redundancy=found)) == []
    ) is will_do


@pytest.mark.parametrize(
    ("weaker", "named"),
    [
        ({"soft_delete": "Off"}, "soft delete is Off, not On"),
        ({"soft_delete": ""}, "soft delete is not set, not On"),
        ({"soft_delete_days": 13}, "soft delete keeps 13 days, not 14"),
        ({"immutability": "Disabled"}, "immutability is Disabled, not Unlocked"),
    ],
)
def test_what_can_be_made_stronger_is_named(weaker: dict[str, str | float], named: str) -> None:
    assert weaknesses(REQUIREMENTS, msgspec.structs.replace(VAULT, **weaker)) == [named]


@pytest.mark.parametrize(
    ("strange", "named"),
    [
        ({"redundancy": "SomethingNew"}, "redundancy is SomethingNew"),
        ({"redundancy": ""}, "redundancy is not told"),
        ({"soft_delete": "Invalid"}, "soft delete is Invalid"),
        ({"immutability": "Sealed"}, "immutability is Sealed"),
    ],
)
def test_a_word_that_nobody_knows_is_neither_weaker_nor_stronger(strange: dict[str, str], named: str) -> None:
    vault = msgspec.structs.replace(VAULT, **strange)
    with pytest.raises(PermanentError, match=f"SettingUnknown.*{named}"):
        require_strong(REQUIREMENTS, vault)
    assert (flaws(REQUIREMENTS, vault), weaknesses(REQUIREMENTS, vault)) == ([], [])
    assert at_least(REQUIREMENTS, vault) == vault


def test_access_in_a_word_that_nobody_knows_is_refused_where_the_policy_document_asks_for_none() -> None:
    vault = msgspec.structs.replace(VAULT, public=None)
    assert require_strong(REQUIREMENTS, vault) is vault
    closed = msgspec.structs.replace(PROTECTION, terms=ProtectPolicy(public_network=False))
    with pytest.raises(PermanentError, match=r"SettingUnknown.*public networks"):
        require_strong(closed.requirements(VaultService.BACKUP), vault)


def test_a_vault_in_the_making_is_not_judged_yet() -> None:
    with pytest.raises(NotConverged):
        require_strong(REQUIREMENTS, msgspec.structs.replace(VAULT, state="Provisioning", soft_delete=""))


def test_only_a_finished_account_can_stand_open() -> None:
    account = FoundAccount(state="Succeeded", closed=False, blob_url="")
    assert account.lax
    assert not msgspec.structs.replace(account, state="Creating").lax
    assert not msgspec.structs.replace(account, closed=True).lax


def test_an_extension_that_stores_elsewhere_is_left_alone_even_if_it_failed() -> None:
    for state in ("Succeeded", "Failed", "Creating"):
        with pytest.raises(PermanentError, match=r"ExtensionElsewhere.*stother"):
            require_installed(PROTECTION, msgspec.structs.replace(EXTENSION, account="stother", state=state))


def test_an_extension_without_an_identity_is_not_there_yet() -> None:
    with pytest.raises(NotConverged, match="NoIdentity"):
        require_installed(PROTECTION, msgspec.structs.replace(EXTENSION, principal=""))
    assert require_installed(PROTECTION, EXTENSION) is EXTENSION


def test_our_own_vault_may_hold_the_cluster_and_no_other() -> None:
    assert require_unclaimed(PROTECTION, []) is None
    ours = msgspec.structs.replace(INSTANCE, id=INSTANCE.id.upper())
    assert require_unclaimed(PROTECTION, [ours]) is ours
    theirs = INSTANCE.id.replace("/bv-", "/theirs-")
    for id, told in ((theirs, "/theirs-[^/]*;"), ("/größe/backupInstances/i", "/größe/backupInstances/i;")):
        with pytest.raises(PermanentError, match=f"ProtectedElsewhere.*{told}"):
            require_unclaimed(PROTECTION, [msgspec.structs.replace(INSTANCE, id=id)])


@pytest.mark.parametrize("state", ["Inprogress", "InProgress", "Running"])
def test_a_validation_under_way_is_waited_for_whatever_error_it_carries(state: str) -> None:
    with pytest.raises(NotConverged, match="UnderWay"):
        concluded("it", FoundOperation(state=state, code="NotFound", message="not yet"))


def test_the_error_of_a_validation_counts_only_if_it_failed() -> None:
    assert concluded("it", FoundOperation(state="Succeeded", code="NotFound", message="not yet")) == OperationResult()
    failed = FoundOperation(state="Failed", code="UserErrorX", message="a role is missing")
    assert concluded("it", failed) == OperationResult(code="UserErrorX", message="a role is missing")


@pytest.mark.parametrize("state", ["Canceled", "cancelled", "PartiallySucceeded", "FAILED"])
def test_what_ended_without_success_has_ended(state: str) -> None:
    assert concluded("it", FoundOperation(state=state)).code == state


@pytest.mark.parametrize("state", ["", "Frobnicated", "Invalid"])
def test_an_operation_in_a_state_that_nobody_knows_has_neither_succeeded_nor_failed(state: str) -> None:
    with pytest.raises(NotConverged, match=f"StateUnknown: it is {state or 'in no state'}"):
        concluded("it", FoundOperation(state=state))


def test_a_configured_protection_is_the_end() -> None:
    assert require_protected(PROTECTION, INSTANCE) is INSTANCE


@pytest.mark.parametrize(
    "found",
    [
        None,
        msgspec.structs.replace(INSTANCE, state="Provisioning"),
        msgspec.structs.replace(INSTANCE, protection="ConfiguringProtection"),
    ],
)
def test_a_protection_under_way_is_waited_for(found: FoundInstance | None) -> None:
    with pytest.raises(NotConverged):
        require_protected(PROTECTION, found)


def test_a_protection_in_a_state_that_nobody_knows_is_neither_good_nor_lost_nor_changed() -> None:
    found = msgspec.structs.replace(INSTANCE, protection="ProtectionDreaming")
    assert (found.configured, found.changing, found.movable) == (False, False, False)
    with pytest.raises(NotConverged, match=r"StateUnknown.*ProtectionDreaming"):
        require_protected(PROTECTION, found)


@pytest.mark.parametrize(
    ("protection", "state", "in_error"),
    [
        ("ProtectionError", "Succeeded", True),
        ("protectionerror", "Succeeded", True),
        ("ProtectionError", "Updating", False),
        ("ProtectionStopped", "Succeeded", False),
        ("ConfiguringProtectionFailed", "Succeeded", False),
    ],
)
def test_only_a_protection_in_error_that_nobody_is_at_work_on_is_to_be_taken_up_again(
    protection: str, state: str, in_error: bool
) -> None:
    found = msgspec.structs.replace(INSTANCE, protection=protection, state=state)
    assert found.in_error is in_error


@pytest.mark.parametrize(
    "state", ["ProtectionError", "ProtectionStopped", "ConfiguringProtectionFailed", "SoftDeleted"]
)
def test_any_other_protection_ends_the_run_with_the_services_words(state: str) -> None:
    found = msgspec.structs.replace(INSTANCE, protection=state, message="the role is missing")
    with pytest.raises(PermanentError, match=f"{state}.*the role is missing"):
        require_protected(PROTECTION, found)
