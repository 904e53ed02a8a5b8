"""Who belongs to a trust domain is granted, never claimed; and public data proves nothing."""

from pathlib import Path
from typing import Any

import pytest

from local.cloud.resources.aks import cluster_id
from local.cloud.world import World
from local.host.durable import OrchestrationState
from local.scenario import OLD_ROOT, TRUST_DOMAIN
from local.stage import APP, RunningApp
from tests.worlds.app import call
from tests.worlds.issuers import SWEPT, half_lived
from tests.worlds.mutants import Mutant
from tests.worlds.rotations import DAYS, RUN, announce, held, runs, status, writes
from tests.worlds.small_mesh import bundle_of, reach, small_mesh
from tests.worlds.strangers import (
    BY_TAG,
    LINE,
    STRANGER,
    STRANGER_ID,
    come,
    come_to_a_due_renewal,
    contacts,
    issuer,
    lose_key,
)
from tests.worlds.times import DAY, HOUR, MINUTE


def yes(real: Any, *_: Any) -> bool:
    return True


BY_CERTIFICATE = Mutant("shared.domain.trust.linkerd.certificates.is_key_of", yes)


def refusals(stage: RunningApp) -> dict[str, str]:
    """Why issuers weren't renewed, by cluster."""
    runs = [i for i in stage.host.instances() if i.name == "renew_issuers" and i.ended]
    return {outcome["cluster"]: outcome["reason"] for run in runs for outcome in run.output}


@pytest.mark.parametrize("mutated", [False, True])
async def test_a_cluster_that_wears_the_tags_gets_no_issuer_and_is_not_contacted(mutated: bool, tmp_path: Path) -> None:
    app = BY_TAG.grow(tmp_path) if mutated else APP
    async with small_mesh(seeded=come_to_a_due_renewal, settings=SWEPT, app=app) as stage:
        before, east = issuer(stage.world, STRANGER), issuer(stage.world, "aks-east")
        await stage.clock.advance(2 * HOUR)
        assert issuer(stage.world, "aks-east") != east
        assert issuer(stage.world, STRANGER) == before
        assert bool(contacts(stage)) is mutated


async def test_a_claim_is_told_hourly_with_the_line_that_would_admit_it() -> None:
    async with small_mesh(seeded=come, settings=SWEPT) as stage:
        await stage.clock.advance(HOUR)
        assert any("cluster not admitted" in line for line in stage.log)
        stage.say(trust_domains={TRUST_DOMAIN: {"members": [cluster_id("aks-east"), STRANGER_ID]}})
        stage.log.clear()
        await stage.clock.advance(HOUR)
        assert not any("cluster not admitted" in line for line in stage.log)
        assert contacts(stage)


async def test_a_rotation_passes_over_a_cluster_that_only_wears_the_tags() -> None:
    async with small_mesh(seeded=come, settings=SWEPT) as stage:
        bundle = bundle_of(stage, STRANGER)
        announce(stage)
        await stage.run(RUN, DAYS)
        (run,) = runs(stage)
        assert (run.output["outcome"], run.output["members"]) == ("rotated", [cluster_id("aks-east")])
        assert bundle_of(stage, STRANGER) == bundle
        assert contacts(stage) == []


async def test_plans_name_who_is_not_admitted_with_the_line_that_would_admit_it() -> None:
    async with small_mesh(seeded=come) as stage:
        for route in ("plans/rotations", f"plans/rotations/{OLD_ROOT}"):
            code, found = await call(stage, "GET", route)
            assert code == 200, found
            (claim,) = found["not_admitted"]
            assert (claim["cluster"], claim["trust_domain"]) == (STRANGER_ID, TRUST_DOMAIN)
            assert (claim["reason"], LINE in claim["message"]) == ("NotAdmitted", True)
        assert [member["cluster"] for member in found["members"]] == [cluster_id("aks-east")]
        assert contacts(stage) == []


async def test_plans_name_a_listed_cluster_whose_tags_can_t_be_read() -> None:
    async with small_mesh(seeded=come) as stage:
        stage.say(trust_domains={TRUST_DOMAIN: {"members": [cluster_id("aks-east"), STRANGER_ID]}})
        stage.world.arm.resources[STRANGER_ID.lower()]["tags"]["meshward:mesh"] = "linkerd2"
        for route in ("plans/rotations", f"plans/rotations/{OLD_ROOT}"):
            _, found = await call(stage, "GET", route)
            (claim,) = found["not_admitted"]
            assert (claim["cluster"], claim["reason"]) == (STRANGER_ID, "BadTag")


async def test_tags_in_another_case_and_with_blanks_around_them_take_part_in_a_rotation() -> None:
    async with small_mesh() as stage:
        tags = stage.world.arm.resources[cluster_id("aks-east").lower()]["tags"]
        stage.world.arm.resources[cluster_id("aks-east").lower()]["tags"] = {
            name.upper(): f" {value.upper()} " for name, value in tags.items()
        }
        announce(stage)
        await stage.run(RUN, DAYS)
        (run,) = runs(stage)
        assert (run.output["outcome"], run.output["members"]) == ("rotated", [cluster_id("aks-east")])


async def test_a_trust_domain_that_lists_nobody_is_on_hold_and_names_who_claims_it() -> None:
    async with small_mesh() as stage:
        stage.say(trust_domains={TRUST_DOMAIN: {"members": []}})
        announce(stage)
        found = await held(stage)
        assert found["reason"] == "NoMembers"
        assert f'"members": ["{cluster_id("aks-east")}"]' in found["message"]
        assert contacts(stage, "aks-east") == []
        stage.say()
        await reach(stage, "distribute")


async def test_a_cluster_that_is_struck_off_the_list_is_not_contacted_any_more() -> None:
    async with small_mesh("aks-east", "aks-west") as stage:
        announce(stage)
        await reach(stage, "settle")
        stage.say(trust_domains={TRUST_DOMAIN: {"members": [cluster_id("aks-east")]}})
        await stage.clock.advance(10 * MINUTE)
        before = len(contacts(stage, "aks-west"))
        await stage.clock.advance(DAY)
        assert len(contacts(stage, "aks-west")) == before


@pytest.mark.parametrize("mutated", [False, True])
async def test_a_key_that_is_not_its_certificate_s_gets_no_issuer(mutated: bool, tmp_path: Path) -> None:
    def seeded(world: World) -> None:
        half_lived(world)
        lose_key(world)

    async with small_mesh(
        seeded=seeded, settings=SWEPT, app=BY_CERTIFICATE.grow(tmp_path) if mutated else APP
    ) as stage:
        before = issuer(stage.world, "aks-east")
        await stage.clock.advance(2 * HOUR)
        assert (issuer(stage.world, "aks-east") != before) is mutated
        assert refusals(stage) == ({} if mutated else {cluster_id("aks-east"): "IssuerKeyMismatch"})


async def test_an_issuer_that_has_expired_is_not_followed_by_another() -> None:
    async with small_mesh(seeded=half_lived, settings=SWEPT | {"AzureWebJobs.issuer_sweep.Disabled": "true"}) as stage:
        await stage.clock.advance(21 * HOUR)
        announce(stage)
        assert (await held(stage))["reason"] == "IssuerNotValid"
        assert writes(stage) == []


async def test_a_mesh_of_another_trust_domain_gets_no_issuer_at_its_renewal() -> None:
    def seeded(world: World) -> None:
        half_lived(world)
        cluster = world.kubernetes.clusters["aks-east"]
        found = cluster.get("ConfigMap", "linkerd", "linkerd-config")
        values = found["data"]["values"].replace(TRUST_DOMAIN, "other.example")
        cluster.update({**found, "data": {**found["data"], "values": values}})

    async with small_mesh(seeded=seeded, settings=SWEPT) as stage:
        before = issuer(stage.world, "aks-east")
        await stage.clock.advance(2 * HOUR)
        assert issuer(stage.world, "aks-east") == before
        assert refusals(stage) == {cluster_id("aks-east"): "OtherTrustDomain"}


async def test_a_rotation_begins_only_once_each_member_proves_to_hold_its_issuer() -> None:
    async with small_mesh() as stage:
        certificate, key = issuer(stage.world, "aks-east")
        lose_key(stage.world)
        announce(stage)
        assert (await held(stage))["reason"] == "IssuerKeyMismatch"
        assert writes(stage) == []
        lose_key(stage.world, key=key)
        assert issuer(stage.world, "aks-east") == (certificate, key)
        await reach(stage, "distribute")


async def test_a_key_that_is_lost_on_the_way_holds_the_new_issuer_back() -> None:
    async with small_mesh() as stage:
        before, lost = issuer(stage.world, "aks-east"), list[str]()

        def lose(instance: OrchestrationState) -> None:
            if instance.id == RUN and (instance.custom_status or {}).get("phase") == "activate" and not lost:
                lost.append("key")
                lose_key(stage.world)

        stage.host.on_change(lose)
        announce(stage)
        assert (await held(stage))["reason"] == "IssuerKeyMismatch"
        assert status(stage)["phase"] == "activate"
        assert issuer(stage.world, "aks-east")[0] == before[0]
        lose_key(stage.world, key=before[1])
        await reach(stage, "settle")
