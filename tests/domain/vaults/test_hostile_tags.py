"""Whoever may tag one vault decides about that vault, and about no other."""

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.vaults.policy import ProtectPolicy
from shared.domain.vaults.protection import CLUSTER_TAG, INCARNATION_TAG
from shared.domain.vaults.release import is_gone, protections
from shared.domain.vaults.tagged import EARLIER_TAG, TaggedVault
from tests.worlds.ids import GUID

AT = f"/subscriptions/{GUID}/resourceGroups/rg-backup/providers/Microsoft.DataProtection/backupVaults"
SOUND = TaggedVault(
    id=f"{AT}/bv-sound",
    location="westeurope",
    tags={CLUSTER_TAG: "rg/aks", INCARNATION_TAG: f"principal={GUID},uid="},
)
DATES = [
    "",
    "yesterday",
    "2026-13-45",
    "2026-11-30",
    "0001-01-01T00:00:00+23:59",
    "\u0661",
    "earlier=x,principal=,uid=",
]


@given(
    st.sampled_from([INCARNATION_TAG, EARLIER_TAG]),
    st.text(max_size=40) | st.sampled_from(DATES) | st.text("earlipncudT=,-:0129Z+", max_size=40),
    st.text(max_size=40) | st.sampled_from(["rg/aks", "../aks", "rg#y/aks", "rg?x/aks", "rg/..", "rg/aks\n"]),
)
def test_a_vault_tag_that_isn_t_a_date_holds_up_the_release_of_no_other(tag: str, text: str, cluster: str) -> None:
    hostile = TaggedVault(id=f"{AT}/bv-x", location="westeurope", tags={CLUSTER_TAG: cluster, tag: text})
    found = protections([hostile, SOUND], lambda _: ProtectPolicy())
    assert [is_gone(protection, None) for protection in found] == [True] * len(found)
    assert found[-1].cluster_id.endswith("/aks")
    assert ".." not in found[0].cluster_id.split("/")
