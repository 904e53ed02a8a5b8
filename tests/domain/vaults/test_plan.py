"""The plan of a protection: what it names, what it refuses, and what its hash tells apart."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import Conflict, PermanentError
from shared.domain.vaults.findings import Found, FoundAccount
from shared.domain.vaults.plan import Seen, lacking, plan_of, require_agreed
from shared.domain.vaults.policy import ProtectPolicy
from shared.domain.vaults.protection import grants, protection_of
from shared.domain.vaults.release import Remains, release_of
from shared.domain.vaults.shares import FileShare
from tests.worlds.facts.protections import EXTENSION, INSTANCE, PROTECTION, VAULT, cluster, cluster_names

NOTHING = Seen()
GONE = datetime(2027, 1, 15, 8, tzinfo=UTC)
REMAINS = Remains(parts=("backup_vault", "account", "snapshots"))
ALL = Seen(
    holders=(INSTANCE,),
    parts={
        "backup_vault": VAULT,
        "account": FoundAccount(state="Succeeded", closed=True, blob_url="https://blobs/"),
        "extension": EXTENSION,
        "trusted_access": Found(state="Succeeded"),
    },
    granted=tuple(g.name for g in grants(PROTECTION, VAULT.principal, EXTENSION.principal)),
)


def test_where_nothing_is_everything_is_planned() -> None:
    acts = [change.act for change in plan_of(PROTECTION, NOTHING).changes]
    assert acts == ["create", "install", "create", "grant", "create", *["grant"] * 6]


def test_a_cluster_that_is_protected_as_wanted_has_an_empty_plan() -> None:
    plan = plan_of(PROTECTION, ALL)
    assert plan.changes == ()
    assert lacking(plan, grants(PROTECTION, VAULT.principal, EXTENSION.principal)) == []


def with_part(name: str, found: Found | None) -> Seen:
    return msgspec.structs.replace(ALL, parts={**ALL.parts, name: found})


@pytest.mark.parametrize(
    "seen",
    [
        *(with_part(name, None) for name in ALL.parts),
        msgspec.structs.replace(ALL, holders=()),
        msgspec.structs.replace(ALL, granted=()),
    ],
)
def test_whatever_is_missing_is_planned_and_changes_the_hash(seen: Seen) -> None:
    plan = plan_of(PROTECTION, seen)
    assert plan.changes
    assert plan.hash != plan_of(PROTECTION, ALL).hash


@pytest.mark.parametrize(
    ("name", "weaker", "act", "why"),
    [
        ("backup_vault", {"soft_delete": "Off"}, "harden", "soft delete is Off, not On"),
        ("account", {"closed": False}, "close", "it allows more than TLS with Entra tokens"),
    ],
)
def test_what_has_drifted_is_planned_with_the_reason(name: str, weaker: dict[str, object], act: str, why: str) -> None:
    drifted = msgspec.structs.replace(ALL.parts[name], **weaker)
    (change,) = plan_of(PROTECTION, with_part(name, drifted)).changes
    assert (change.act, change.why) == (act, why)


def test_another_schedule_is_another_policy_to_which_the_instance_moves() -> None:
    protection = protection_of(cluster(), "rg-backup", ProtectPolicy(backup_every=timedelta(hours=4)))
    assert plan_of(protection, ALL).lines == (
        f"move backup instance {PROTECTION.instance} to policy every-4h-keep-7d: its policy is every-24h-keep-7d",
    )


@pytest.mark.parametrize(
    ("name", "found", "reason"),
    [
        ("backup_vault", msgspec.structs.replace(VAULT, redundancy="LocallyRedundant"), "VaultTooWeak"),
        ("backup_vault", msgspec.structs.replace(VAULT, state="Failed"), "ProvisioningFailed"),
        ("extension", msgspec.structs.replace(EXTENSION, account="stother"), "ExtensionElsewhere"),
        ("extension", msgspec.structs.replace(EXTENSION, state="Failed"), "ProvisioningFailed"),
    ],
)
def test_what_cant_be_taken_over_refuses_the_plan(name: str, found: Found, reason: str) -> None:
    with pytest.raises(PermanentError, match=reason):
        plan_of(PROTECTION, with_part(name, found))


def test_a_cluster_of_another_vault_refuses_the_plan() -> None:
    theirs = msgspec.structs.replace(INSTANCE, id="/s/bv-old/backupInstances/i")
    with pytest.raises(PermanentError, match="ProtectedElsewhere"):
        plan_of(PROTECTION, msgspec.structs.replace(ALL, holders=(theirs,)))


def test_what_is_under_way_is_no_difference() -> None:
    making = Seen(
        parts={
            "backup_vault": msgspec.structs.replace(VAULT, state="Provisioning"),
            "extension": msgspec.structs.replace(EXTENSION, state="Creating", principal=""),
        }
    )
    assert not [line for line in plan_of(PROTECTION, making).lines if "Backup vault" in line or "extension" in line]


@given(st.permutations(ALL.granted), st.sampled_from(["ProtectionConfigured", "ConfiguringProtection"]))
def test_the_hash_tells_only_what_would_change(granted: list[str], protection: str) -> None:
    holders = (msgspec.structs.replace(INSTANCE, protection=protection),)
    same = msgspec.structs.replace(ALL, granted=tuple(granted), holders=holders)
    assert plan_of(PROTECTION, same).hash == plan_of(PROTECTION, ALL).hash


@given(cluster_names, st.sampled_from([str.upper, str.lower, str.swapcase]))
def test_a_cluster_in_another_case_is_the_same_run_plan_and_release(name: str, cased: Callable[[str], str]) -> None:
    told = cluster(name, tags={FileShare.cluster_tag: "rg-data/stshop/orders"})
    odd = msgspec.structs.replace(
        told, id=cased(told.id), name=cased(told.name), resource_group=cased(told.resource_group)
    )
    one, other = (protection_of(each, "rg-backup", ProtectPolicy()) for each in (told, odd))
    assert one.run == other.run
    assert plan_of(one, NOTHING).hash == plan_of(other, NOTHING).hash
    other = msgspec.structs.replace(other, group=cased(other.group))
    assert release_of(one, REMAINS, GONE).hash == release_of(other, REMAINS, GONE).hash


def test_other_terms_make_another_hash_even_if_nothing_would_change() -> None:
    longer = protection_of(cluster(), "rg-backup", ProtectPolicy(release_after=timedelta(days=90)))
    assert plan_of(longer, ALL).hash != plan_of(PROTECTION, ALL).hash


def test_a_plan_is_applied_only_as_it_was_agreed() -> None:
    plan = plan_of(PROTECTION, NOTHING)
    assert require_agreed(plan, plan.hash) is require_agreed(plan, "") is plan
    with pytest.raises(Conflict, match="PlanChanged"):
        require_agreed(plan_of(PROTECTION, ALL), plan.hash)


def test_a_role_that_is_granted_already_is_not_lacking() -> None:
    needed = grants(PROTECTION, VAULT.principal, EXTENSION.principal)
    plan = plan_of(PROTECTION, msgspec.structs.replace(NOTHING, granted=(needed[0].name,)))
    assert lacking(plan, needed) == needed[1:]
    assert len(needed) == 6
