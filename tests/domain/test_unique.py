"""Names that stand for ids: no two ids share one, and none is too long for where it is used."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.restores.lease import lease_path
from shared.domain.restores.verification import Verification, isolated_name, of_item, of_job
from shared.domain.trust.mesh import Mesh
from shared.domain.trust.roots import Rotation
from shared.domain.unique import LONGEST_INSTANCE_ID, bounded, unique_name
from tests.worlds.facts.plans import a_plan
from tests.worlds.facts.protections import protection_named

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
GUID = "0f0e0d0c-1111-4222-8333-444455556666"
GROUP = f"/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/{'g' * 90}"
VAULT = f"{GROUP}/providers/Microsoft.DataProtection/backupVaults/{'v' * 50}"
JOB, ITEM = f"{VAULT}/backupJobs/{GUID}", f"{VAULT}/backupInstances/{'i' * 200}"
FABRIC = f"{GROUP}/providers/Microsoft.RecoveryServices/vaults/{{}}/backupFabrics/Azure/protectionContainers/c"
ROTATION = Rotation(mesh=Mesh.LINKERD, trust_domain="d" * 47, old="o", new="n", generation=999_999)
LONGEST = [
    f"{ROTATION.instance_id}-99",
    f"{protection_named('c' * 63).run}-20270115-99",
    f"release-{protection_named('c' * 63).backup_vault}-99",
    f"{of_job(JOB).instance_id}-99",
    f"{of_item(ITEM, 'p' * 200, NOW).instance_id}-99",
]


@pytest.mark.parametrize("instance_id", LONGEST)
def test_an_instance_id_of_the_longest_legal_names_has_at_most_a_hundred_characters(instance_id: str) -> None:
    assert len(instance_id) <= LONGEST_INSTANCE_ID
    assert bounded(instance_id) == instance_id


@pytest.mark.parametrize("instance_id", LONGEST)
def test_so_has_every_flow_within_its_flows_and_no_two_share_one(instance_id: str) -> None:
    parts = [f"{part}-{n}" for n in range(32) for part in ("-r1234567", "-start_registration-0a1b2c3d-11", "")]
    shards = {bounded(f"{instance_id}{part}") for part in parts}
    members = {bounded(f"{shard}-{n}") for shard in shards for n in range(32)}
    assert (len(shards), len(members)) == (len(parts), 32 * len(parts))
    assert all(len(id) <= LONGEST_INSTANCE_ID for id in shards | members)


@given(st.lists(st.from_regex(r"[a-z0-9.-]{1,253}", fullmatch=True), min_size=2, max_size=6, unique=True))
def test_no_two_ids_share_a_name(ids: list[str]) -> None:
    names = {unique_name(id) for id in ids}
    assert len(names) == len(ids)
    assert all(len(name) <= 49 and name.isascii() for name in names)


def test_ids_of_another_case_share_a_name_and_parts_can_t_be_moved_from_one_id_to_the_next() -> None:
    assert unique_name("A.B") == unique_name("a.b")
    assert unique_name("x", "ab", "c") != unique_name("x", "a", "bc")


def test_a_job_under_a_wrong_vault_path_does_not_use_up_the_name_of_the_real_one() -> None:
    wrong = JOB.replace("/resourceGroups/g", "/resourceGroups/h")
    assert of_job(wrong).name != of_job(JOB).name == of_job(JOB.lower()).name


def test_items_of_one_name_in_five_vaults_are_five_verifications() -> None:
    items = [f"{FABRIC.format(f'rsv-{n}')}/protectedItems/orders" for n in range(5)]
    assert len({of_item(item, "p", NOW).name for item in items}) == 5
    jobs = [f"{GROUP}/providers/Microsoft.RecoveryServices/vaults/rsv-{n}/backupJobs/{GUID}" for n in range(5)]
    verifications = [of_job(job) for job in jobs]
    assert len({verification.name for verification in verifications}) == 5
    assert len({isolated_name("orders", verification.name) for verification in verifications}) == 5
    assert len({lease_path(a_plan(name=verification.name)) for verification in verifications}) == 5


@pytest.mark.parametrize("verification", [of_job(JOB), of_item(ITEM, "p", NOW)])
def test_the_name_of_a_verification_suits_a_label_of_kubernetes(verification: Verification) -> None:
    assert len(verification.name) <= 63
