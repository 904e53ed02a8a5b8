"""Which data sources a cluster names, and which of them its vault takes."""

from datetime import timedelta

import msgspec
import pytest

from shared.domain.errors import PermanentError
from shared.domain.vaults.parts import VAULTS, planned_parts
from shared.domain.vaults.plan import ProtectionPlan, Seen, plan_of
from shared.domain.vaults.policy import ProtectPolicy
from shared.domain.vaults.protection import protection_of, source_grants
from shared.domain.vaults.shares import FileShare
from shared.domain.vaults.source import FoundItem, SourceCandidate, VaultService
from shared.domain.vaults.sources import MOST_SOURCES, sources_of, unfit
from tests.worlds.facts.protections import VAULT as BACKUP_VAULT
from tests.worlds.facts.protections import cluster

SUBSCRIPTION = cluster().subscription_id
AT = f"/subscriptions/{SUBSCRIPTION}/resourceGroups"
SHARE = FileShare(source_id=f"{AT}/rg-data/providers/Microsoft.Storage/storageAccounts/stshop", name="carts")
PROTECTION = protection_of(cluster(tags={"meshward:files": "rg-data/stshop/carts"}), "rg-backup", ProtectPolicy())
VAULT = msgspec.structs.replace(BACKUP_VAULT, principal="rsv")
ITEM = FoundItem(
    id=f"{PROTECTION.recovery_services_vault_id}/backupFabrics/Azure/protectionContainers/c/protectedItems/i",
    source_id=SHARE.source_id.replace("Microsoft.Storage", "Microsoft.storage"),
    name="carts",
    state="IRPending",
    policy=PROTECTION.source_policy_id(SHARE),
    deleted=False,
)
AGREED = SourceCandidate(exists=True, consent="given")
THERE = SourceCandidate(exists=True, consent="given", region=PROTECTION.location)


class OfBackupVault(FileShare, frozen=True, kw_only=True, tag="other"):
    """A data source of a kind that Backup vaults protect; there is none yet."""

    service = VaultService.BACKUP


@pytest.mark.parametrize(
    ("kind", "vault", "other"),
    [
        (FileShare, "recovery_services_vault", "backup_vault"),
        (OfBackupVault, "backup_vault", "recovery_services_vault"),
    ],
)
def test_a_source_s_vault_is_that_of_its_service(kind: type[FileShare], vault: str, other: str) -> None:
    source = kind(source_id=SHARE.source_id, name=SHARE.name)
    protection = msgspec.structs.replace(PROTECTION, sources=(source,))
    assert ("recovery_services_vault" in planned_parts(protection)) is (vault == "recovery_services_vault")
    granted = {service: source_grants(service, protection.sources, "its identity") for service in VaultService}
    assert [len(granted[service]) for service, part in VAULTS.items() if part == vault] == [len(source.roles)]
    assert [len(granted[service]) for service, part in VAULTS.items() if part == other] == [0]
    assert f"/{getattr(protection, vault)}/" in protection.source_policy_id(source)


def test_a_cluster_names_no_more_sources_than_one_look_can_read() -> None:
    names = [f"vm-{number}" for number in range(MOST_SOURCES)]
    assert len(sources_of(cluster(tags={"meshward:machines": ",".join(names)}))) == MOST_SOURCES
    with pytest.raises(PermanentError, match="BadTag: the tags of cluster aks-new name 201 shares and machines"):
        sources_of(cluster(tags={"meshward:machines": ",".join(names), "meshward:machines-2": "one-more"}))


def test_shares_are_named_by_account_and_where_it_is() -> None:
    assert sources_of(cluster(tags={"meshward:files": "rg-data/stshop/carts"})) == (SHARE,)


def test_a_list_goes_on_in_numbered_tags_and_names_no_share_twice() -> None:
    tags = {"meshward:files": "g/stone/abc, g/stone/abd,", "Meshward:Files-2": "g/sttwo/abc,g/stone/abc"}
    found = sources_of(cluster(tags=tags))
    assert [share.label for share in found] == ["share stone/abc", "share stone/abd", "share sttwo/abc"]


def test_what_differs_in_case_alone_is_named_once() -> None:
    tags = {"meshward:files": "rg-data/stshop/carts, RG-Data/stshop/carts", "meshward:machines": "vm-a, VM-A"}
    assert [source.label.lower() for source in sources_of(cluster(tags=tags))] == [
        "machine rg-clusters/vm-a",
        "share stshop/carts",
    ]


def test_without_a_group_the_account_is_in_the_node_resource_group() -> None:
    nodes = msgspec.structs.replace(cluster(tags={"meshward:files": "stshop/carts"}), node_resource_group="MC_x")
    assert "/resourceGroups/MC_x/" in sources_of(nodes)[0].source_id


@pytest.mark.parametrize("tag", ["carts", "stshop/", "St_Shop/carts", "stshop/-carts", "a/b/c/d", "stshop/carts;b"])
def test_a_tag_that_names_no_share_is_refused(tag: str) -> None:
    nodes = msgspec.structs.replace(cluster(tags={"meshward:files": tag}), node_resource_group="MC_x")
    with pytest.raises(PermanentError, match="BadTag"):
        sources_of(nodes)


@pytest.mark.parametrize("tag", ["meshward:files2", "meshward:filesystem", "files"])
def test_other_tags_name_nothing(tag: str) -> None:
    assert sources_of(cluster(tags={tag: "stshop/carts"})) == ()


def planned(*items: FoundItem, candidate: SourceCandidate | None = None, vault: bool = True) -> ProtectionPlan:
    parts = {"recovery_services_vault": VAULT if vault else None}
    candidates = {SHARE.label: candidate or AGREED}
    return plan_of(PROTECTION, Seen(parts=parts, items=items, candidates=candidates))


def acts(plan: ProtectionPlan) -> list[str]:
    return [change.act for change in plan.source_changes]


def test_a_cluster_that_names_nothing_gets_no_recovery_services_vault() -> None:
    plain = protection_of(cluster(), "rg-backup", ProtectPolicy())
    assert plan_of(plain, Seen()).source_changes == ()


def test_where_nothing_is_everything_is_planned() -> None:
    assert acts(planned(candidate=THERE, vault=False)) == ["create", "protect", "grant", "grant"]


def test_a_protected_share_is_known_by_name_and_account_whatever_their_case() -> None:
    plan = planned(ITEM)
    assert acts(plan) == ["grant", "grant"]
    assert plan.sources == ()


def test_a_share_by_another_policy_is_moved() -> None:
    other = msgspec.structs.replace(ITEM, policy=f"{PROTECTION.recovery_services_vault_id}/backupPolicies/daily")
    assert acts(planned(other))[0] == "move"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"exists": False}, "it doesn't exist"),
        ({"region": "northeurope"}, "it is in northeurope"),
        ({"vault": "/subscriptions/s/vaults/theirs"}, "/subscriptions/s/vaults/theirs holds it"),
    ],
)
def test_a_share_that_can_not_be_taken_is_refused_with_the_reason(changed: dict[str, object], why: str) -> None:
    plan = planned(candidate=msgspec.structs.replace(THERE, **changed))
    (line,) = plan.refused
    assert why in line
    assert plan.sources == ()


def test_an_account_that_our_own_vault_holds_is_taken_over() -> None:
    ours = msgspec.structs.replace(THERE, vault=PROTECTION.recovery_services_vault_id.upper())
    assert "protect" in acts(planned(candidate=ours))


@pytest.mark.parametrize(
    ("changed", "why"),
    [({"state": "ProtectionStopped"}, "resume it"), ({"state": "ProtectionStopped", "deleted": True}, "undelete it")],
)
def test_what_somebody_ended_is_not_taken_up_again(changed: dict[str, object], why: str) -> None:
    plan = planned(msgspec.structs.replace(ITEM, **changed))
    assert why in plan.refused[0]


@pytest.mark.parametrize(("state", "counts"), [("IRPending", True), ("protected", True), ("ProtectionPaused", False)])
def test_only_states_that_are_known_to_be_good_count_as_protected(state: str, *, counts: bool) -> None:
    plan = planned(msgspec.structs.replace(ITEM, state=state))
    assert [state in line for line in plan.refused] == ([] if counts else [True])


@pytest.mark.parametrize("state", ["", "ProtectionDreaming"])
def test_an_item_in_a_state_that_nobody_knows_isn_t_protected_and_says_why(state: str) -> None:
    (line,) = planned(msgspec.structs.replace(ITEM, state=state)).refused
    assert f"its protection is {state or 'in no state'}, which is no state that Meshward knows" in line


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("ProtectionConfigured", ""),
        ("ProtectionStopped", "resume it"),
        ("BackupsSuspended", "look at it in the vault"),
        ("UpdatingProtection", "wait until Azure is done with it"),
        ("IRPending", "which is no state that Meshward knows"),
    ],
)
def test_an_item_of_a_backup_vault_is_judged_by_the_words_of_backup_vaults(state: str, why: str) -> None:
    item = msgspec.structs.replace(ITEM, id=PROTECTION.instance_id, state=state)
    assert why in unfit(item)
    assert item.configured is (not why) is (not unfit(item))


def test_a_deleted_item_isn_t_configured_whatever_its_state_says() -> None:
    assert not msgspec.structs.replace(ITEM, deleted=True).configured


def test_terms_that_need_more_snapshots_than_a_share_has_are_refused() -> None:
    terms = ProtectPolicy(backup_every=timedelta(hours=4), keep=timedelta(days=40), release_after=timedelta(days=40))
    protection = msgspec.structs.replace(PROTECTION, terms=terms)
    assert "more than 200 snapshots" in plan_of(protection, Seen(candidates={SHARE.label: THERE})).refused[0]


def test_a_machine_is_named_by_its_group_or_lies_in_the_cluster_s_own() -> None:
    first, second = sources_of(cluster(tags={"meshward:machines": "rg-tools/vm-build, vm-jump"}))
    assert first.source_id.endswith("/rg-clusters/providers/Microsoft.Compute/virtualMachines/vm-jump")
    assert second.label == "machine rg-tools/vm-build"


@pytest.mark.parametrize("tag", ["a/b/c", "vm build", "-vm", "rg/"])
def test_a_tag_that_names_no_machine_is_refused(tag: str) -> None:
    with pytest.raises(PermanentError, match="BadTag"):
        sources_of(cluster(tags={"meshward:machines": tag}))


def test_terms_that_keep_machines_for_less_than_a_week_are_refused() -> None:
    terms = ProtectPolicy(keep=timedelta(days=3))
    protection = protection_of(cluster(tags={"meshward:machines": "vm-build"}), "rg-backup", terms)
    assert "7 days at least" in plan_of(protection, Seen()).refused[0]
