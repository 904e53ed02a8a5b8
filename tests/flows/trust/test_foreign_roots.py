"""Roots that count are made by Meshward or admitted by an operator: whatever anybody imports or tags is never used."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from local.cloud.key_vault.keys import PrivateKey
from local.cloud.key_vault.rules import complete_policy
from local.cloud.resources.aks import cluster_id
from local.cloud.world import World
from local.scenario import OLD_ROOT, TRUST_DOMAIN
from local.scenario import admit as admit_by_row
from local.stage import RunningApp
from shared.domain.trust.certificates import fingerprint, fingerprints
from shared.domain.trust.mesh import Mesh
from shared.domain.trust.roots import Rotation, certificate_name
from tests.worlds import mallory, neighbours
from tests.worlds.app import call
from tests.worlds.issuers import ISSUER, SWEPT, half_lived
from tests.worlds.mutants import Mutant
from tests.worlds.rotations import DAYS, NEW_ROOT, RUN, announce, held, status, vault, writes
from tests.worlds.small_mesh import SWIFT, bundle_of, join, reach, send, small_mesh
from tests.worlds.times import HOUR, MINUTE

WATCHED = {name: value for name, value in SWEPT.items() if "expiry_sweep" not in name}


def old_root(stage: RunningApp) -> x509.Certificate:
    found = vault(stage).certificate(OLD_ROOT).current.certificate
    assert found
    return found


def issuer(stage: RunningApp, cluster: str = "aks-east") -> x509.Certificate:
    found = stage.world.kubernetes.clusters[cluster].get("Secret", "linkerd", ISSUER)
    return x509.load_pem_x509_certificate(base64.b64decode(found["data"]["tls.crt"]))


def ever_trusted(stage: RunningApp) -> set[str]:
    """The fingerprints of all roots that any bundle was ever written with."""
    sent = [e for e in stage.world.wire.exchanges if e.method == "PATCH" and "linkerd-identity-trust-roots" in e.url]
    bundles = [json.loads(e.request).get("data", {}).get("ca-bundle.crt", "") for e in sent]
    return {found for bundle in bundles for found in fingerprints(bundle)}


async def admit(stage: RunningApp, found: str, why: str = "seen in the clusters' bundles") -> tuple[int, Any]:
    return await call(stage, "POST", "roots", {"trust_domain": TRUST_DOMAIN, "fingerprint": found, "why": why})


async def test_a_certificate_that_somebody_tags_as_the_next_root_is_refused_aloud_and_never_distributed() -> None:
    async with small_mesh(settings=WATCHED, left=SWIFT) as stage:
        foreign = fingerprint(mallory.bring(stage.world, generation=2))
        shown = (await call(stage, "GET", "plans/rotations"))[1]
        assert [(r["certificate"], r["reason"]) for r in shown["refused"]] == [("mallory", "ForeignRoot")]
        code, refused = await call(stage, "POST", "rotations", {"certificate": "mallory"})
        assert (code, refused["reason"]) == (400, "ForeignRoot")
        assert "az keyvault certificate set-attributes" in refused["message"]
        await stage.run(RUN, DAYS)
        assert foreign not in ever_trusted(stage)
        assert fingerprint(old_root(stage)) in ever_trusted(stage)
        assert any("root refused" in line and "ForeignRoot" in line for line in stage.log)
        new = vault(stage).certificate(NEW_ROOT).current.certificate
        assert new
        assert stage.world.linkerd.roots(TRUST_DOMAIN) == {fingerprint(new)}
        assert not stage.world.linkerd.violations


async def test_a_first_generation_that_somebody_brings_after_ours_was_retired_gets_into_no_bundle() -> None:
    async with small_mesh(settings=WATCHED, left=SWIFT) as stage:
        await stage.run(RUN, DAYS)
        foreign = fingerprint(mallory.bring(stage.world, generation=1))
        vault(stage).certificate(OLD_ROOT).current.enabled = True  # the retired root doesn't count again either
        _, plan = await call(stage, "GET", f"plans/rotations/{NEW_ROOT}")
        assert (plan["rotation"]["old"], plan["rotation"]["generation"]) == (NEW_ROOT, 3)
        for name in ("mallory", OLD_ROOT):
            _, refused = await call(stage, "POST", "rotations", {"certificate": name})
            assert refused["reason"] == "ForeignRoot"
        await stage.clock.advance(30 * HOUR)
        assert foreign not in ever_trusted(stage)
        issuer(stage).verify_directly_issued_by(vault(stage).certificate(NEW_ROOT).current.certificate)  # type: ignore[arg-type]
        assert not stage.world.linkerd.violations


async def test_what_has_the_new_root_s_name_is_refused_and_an_abort_lets_the_next_root_take_another_name() -> None:
    async with small_mesh(left=SWIFT) as stage:
        mallory.bring(stage.world, NEW_ROOT)
        announce(stage)
        found = await held(stage)
        assert found["reason"] == "ForeignRoot"
        assert f"az keyvault certificate purge --vault-name kv-meshward --name {NEW_ROOT}" in found["message"]
        assert writes(stage) == []
        await send(stage, "abort")
        await stage.run(RUN)
        _, started = await call(stage, "POST", "rotations", {"certificate": OLD_ROOT})
        assert started["instance_id"] == RUN.replace("-g2", "-g3")
        await stage.run(started["instance_id"], DAYS)
        new = vault(stage).certificate(NEW_ROOT.replace("g0002", "g0003")).current.certificate
        assert new
        assert stage.world.linkerd.roots(TRUST_DOMAIN) == {fingerprint(new)}


async def test_a_version_that_somebody_adds_to_the_current_root_is_told_and_the_root_stays_what_it_was() -> None:
    async with small_mesh(left=SWIFT) as stage:
        await stage.clock.advance(MINUTE)
        foreign = fingerprint(mallory.bring(stage.world, OLD_ROOT, generation=1))
        shown = (await call(stage, "GET", "plans/rotations"))[1]
        assert [root["certificate"] for root in shown["rotations"]] == [OLD_ROOT]
        assert [(r["fingerprint"], r["reason"]) for r in shown["refused"]] == [(foreign, "ForeignRoot")]
        assert (await call(stage, "GET", f"plans/rotations/{OLD_ROOT}"))[0] == 200


async def test_a_request_that_somebody_left_open_under_the_new_root_s_name_is_told_with_the_command_that_ends_it() -> (
    None
):
    async with small_mesh(left=SWIFT) as stage:
        policy = complete_policy({"issuer": {"name": "Unknown"}, "x509_props": {"subject": "CN=mallory"}})
        vault(stage).create(NEW_ROOT, policy, mallory.tags(2))
        announce(stage)
        found = await held(stage)
        assert (found["reason"], writes(stage)) == ("ForeignRoot", [])
        assert f"az keyvault certificate delete --vault-name kv-meshward --name {NEW_ROOT}" in found["message"]


async def test_a_soft_deleted_name_is_told_at_once_and_a_purge_lets_the_rotation_go_on() -> None:
    async with small_mesh(left=SWIFT) as stage:
        mallory.bring(stage.world, NEW_ROOT)
        vault(stage).delete(NEW_ROOT)
        await stage.clock.advance(MINUTE)
        announce(stage)
        begun = stage.clock.time()
        found = await held(stage)
        assert found["reason"] == "NameSoftDeleted"
        assert f"az keyvault certificate purge --vault-name kv-meshward --name {NEW_ROOT}" in found["message"]
        assert stage.clock.time() - begun < 15 * MINUTE.total_seconds()
        vault(stage).purge(NEW_ROOT)
        await stage.run(RUN, DAYS)
        assert (await call(stage, "GET", f"instances/{RUN}"))[1]["result"]["outcome"] == "rotated"


def swap_keys(stage: RunningApp) -> None:
    """Let somebody add a version of theirs, as soon as Meshward's draft is there."""

    def watch() -> None:
        found = vault(stage).certificates.get(NEW_ROOT)
        if found and [bool(v.certificate) for v in found.versions] == [True]:
            mallory.bring(stage.world, NEW_ROOT, generation=2)
        else:
            stage.clock.after(1.0, watch)

    stage.clock.after(1.0, watch)


async def test_a_version_that_somebody_adds_to_the_new_root_s_draft_signs_nothing_and_is_never_the_root() -> None:
    async with small_mesh(left=SWIFT) as stage:
        swap_keys(stage)
        announce(stage)
        await stage.run(RUN, DAYS)
        versions = vault(stage).certificate(NEW_ROOT).versions
        assert any(v.exportable for v in versions), "somebody was fast enough"
        assert mallory.KEY.public_key() != versions[-1].key.public_key()
        assert not any(v.enabled for v in versions[:-1])
        current = versions[-1].certificate
        assert current
        assert stage.world.linkerd.roots(TRUST_DOMAIN) == {fingerprint(current)}


async def test_a_member_whose_bundle_has_the_new_root_alone_before_anything_is_issued_under_it_is_refused() -> None:
    async with small_mesh(left=SWIFT) as stage:
        announce(stage)
        await reach(stage, "distribute")
        await stage.run(lambda: len(fingerprints(bundle_of(stage, "aks-east"))) == 2, DAYS)
        newest = "".join(bundle_of(stage, "aks-east").partition("-----END CERTIFICATE-----\n")[:2])
        join(stage, "aks-late", bundle=newest, signer=OLD_ROOT)
        found = await held(stage)
        assert found["reason"] == "ForeignBundle"
        assert "aks-late" in found["message"]


async def test_without_an_admitted_root_nothing_is_rotated_the_call_is_told_and_then_the_sweep_begins() -> None:
    async with small_mesh(settings=WATCHED, left=SWIFT, admitted=False) as stage:
        await stage.clock.advance(30 * MINUTE)
        known = fingerprint(old_root(stage))
        assert stage.host.instance(RUN) is None
        wanted = f'POST /api/roots {{"trust_domain": "{TRUST_DOMAIN}", "fingerprint": "{known}"'
        shown = (await call(stage, "GET", "plans/rotations"))[1]
        assert shown["rotations"] == []
        (refused,) = shown["refused"]
        assert (refused["reason"], wanted in refused["message"]) == ("RootNotAdmitted", True)
        assert any("root refused" in line and known in line for line in stage.log)
        wrong, answer = await admit(stage, "0" * 64)
        assert (wrong, answer["reason"], known in answer["message"]) == (404, "NoSuchRoot", True)
        code, record = await admit(stage, known.upper())
        assert (code, record["fingerprint"], record["origin"]) == (201, known, "admitted")
        assert record["by"] == stage.caller().object_id
        assert await admit(stage, known, "again") == (201, record)
        await stage.run(RUN, DAYS)
        assert status(stage)["phase"] in ("retire", "rotated")


async def test_trust_domains_that_differ_in_punctuation_alone_are_both_rotated_each_to_a_root_of_its_own() -> None:
    def seed(world: World) -> None:
        neighbours.seed(world, SWIFT)

    async with small_mesh(settings=WATCHED, left=SWIFT, seeded=seed) as stage:
        stage.say(trust_domains={neighbours.DOMAIN: {"members": [cluster_id(neighbours.CLUSTER)]}})
        admit_by_row(vault(stage), stage.store, neighbours.ROOT)
        other = rotation_of_neighbours()
        for run in (RUN, other.instance_id):
            await stage.run(run, DAYS)
            assert stage.host.instance(run).output["outcome"] == "rotated"  # type: ignore[union-attr]
        for domain, name in ((TRUST_DOMAIN, NEW_ROOT), (neighbours.DOMAIN, other.new)):
            found = vault(stage).certificate(name).current.certificate
            assert found
            assert stage.world.linkerd.roots(domain) == {fingerprint(found)}
        assert not stage.world.linkerd.violations


def without_digest(real: Any, readable: str, *ids: str) -> Any:
    return real(readable, *ids)[: -len("-0123456789abcdef")]


def any_version(real: Any, making: Any) -> Any:
    return list(making.versions)


ALIKE = Mutant("shared.domain.trust.roots.unique_name", without_digest)
ANY_KEY = Mutant("shared.domain.trust.new_root.from_our_key", any_version)


async def test_a_start_that_finds_the_rotation_of_another_trust_domain_under_its_id_is_told(tmp_path: Path) -> None:
    """Names without a digest show it."""
    async with small_mesh(
        settings=WATCHED, left=SWIFT, seeded=lambda world: neighbours.seed(world, SWIFT), app=ALIKE.grow(tmp_path)
    ) as stage:
        admit_by_row(vault(stage), stage.store, neighbours.ROOT)
        await stage.clock.advance(30 * MINUTE)
        assert any("another started" in line and "rotate-prod-contoso-example-g2" in line for line in stage.log)


async def test_without_knowing_its_own_key_meshward_would_ask_for_a_root_with_somebody_else_s(tmp_path: Path) -> None:
    async with small_mesh(left=SWIFT, app=ANY_KEY.grow(tmp_path)) as stage:
        swap_keys(stage)
        announce(stage)
        await stage.run(lambda: "held" in status(stage), DAYS)
        assert vault(stage).certificate(NEW_ROOT).versions[-1].key is mallory.KEY
        assert "a request for it is open that Meshward didn't send" in status(stage)["held"]["message"]


def rotation_of_neighbours() -> Rotation:
    generation, domain = 2, neighbours.DOMAIN
    name = certificate_name(Mesh.LINKERD, domain, generation)
    assert name != NEW_ROOT
    return Rotation(mesh=Mesh.LINKERD, trust_domain=domain, old=neighbours.ROOT, new=name, generation=generation)


async def test_only_the_first_root_is_admitted() -> None:
    async with small_mesh(left=SWIFT) as stage:
        foreign = fingerprint(mallory.bring(stage.world, generation=2))
        code, answer = await admit(stage, foreign)
        assert (code, answer["reason"]) == (409, "RootAdmitted")


async def test_issuers_are_renewed_while_no_root_is_admitted_under_the_root_that_the_cluster_trusts() -> None:
    async with small_mesh(seeded=half_lived, settings=SWEPT, admitted=False) as stage:
        before = issuer(stage)
        mallory.bring(stage.world, generation=2)
        await stage.clock.advance(3 * HOUR)
        assert issuer(stage) != before
        issuer(stage).verify_directly_issued_by(old_root(stage))
        assert any("root refused" in line and "RootNotAdmitted" in line for line in stage.log)
        assert not stage.world.linkerd.violations


def sign_as_mallory(world: World) -> None:
    """Let the cluster's issuer be due, and be signed by a root that isn't in its bundle."""
    mallory.bring(world, generation=2)
    half_lived(world, root="mallory")


@pytest.mark.parametrize("admitted", [False, True])
async def test_nobody_s_certificate_renews_an_issuer_of_a_cluster_that_does_not_trust_it(admitted: bool) -> None:
    async with small_mesh(seeded=sign_as_mallory, settings=SWEPT, admitted=admitted, judged=False) as stage:
        before = issuer(stage)
        await stage.clock.advance(3 * HOUR)
        assert issuer(stage) == before


KEYS = [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())]


@pytest.mark.parametrize("key", KEYS, ids=["RSA", "P-384"])
async def test_under_a_root_of_another_kind_issuers_are_renewed_and_an_abort_leads_back_to_it(key: PrivateKey) -> None:
    async with small_mesh(seeded=half_lived, settings=SWEPT, left=SWIFT, key=key) as stage:
        before = issuer(stage)
        await stage.clock.advance(2 * HOUR)
        assert issuer(stage) != before
        announce(stage)
        await reach(stage, "settle")
        await send(stage, "abort")
        await stage.run(RUN, DAYS)
        run = stage.host.instance(RUN)
        assert run
        assert run.output["outcome"] == "aborted"
        issuer(stage).verify_directly_issued_by(old_root(stage))
        assert stage.world.linkerd.roots(TRUST_DOMAIN) == {fingerprint(old_root(stage))}
        assert not stage.world.linkerd.violations
