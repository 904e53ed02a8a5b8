"""Rotations that go back: only where the old root lives long enough, and never by what a member can't trust."""

import base64
from collections.abc import Callable
from datetime import timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.store import WatchEvent
from local.host.durable import OrchestrationState
from tests.worlds.app import call
from tests.worlds.issuers import ISSUER, SWEPT, half_lived
from tests.worlds.put_back import BUNDLE
from tests.worlds.rotations import BARE, NEW_ROOT, RUN, announce, runs, status, vault, writes
from tests.worlds.small_mesh import bundle_of, join_at, reach, send, small_mesh
from tests.worlds.times import HOUR, MINUTE


def signed_by_one_of(bundle: str, issuer: x509.Certificate) -> bool:
    for root in x509.load_pem_x509_certificates(bundle.encode()):
        try:
            issuer.verify_directly_issued_by(root)
        except (ValueError, InvalidSignature):
            continue
        return True
    return False


def note_untrusted(cluster: SimulatedCluster, found: list[str]) -> Callable[[WatchEvent], None]:
    """Notes each issuer that is written while the cluster's own bundle doesn't hold its root."""

    def changed(change: WatchEvent) -> None:
        secret = change.object
        if change.kind.name != "Secret" or secret["metadata"]["name"] != ISSUER:
            return
        issuer = x509.load_pem_x509_certificate(base64.b64decode(secret["data"]["tls.crt"]))
        bundle = cluster.get("ConfigMap", "linkerd", BUNDLE)["data"]["ca-bundle.crt"]
        if not signed_by_one_of(bundle, issuer):
            found.append(issuer.issuer.rfc4514_string())

    return changed


async def test_an_abort_that_the_old_root_would_not_outlive_is_refused_with_the_reason() -> None:
    async with small_mesh(left=3 * HOUR) as stage:
        stage.say(default={"trust": {"root_lifetime": "P30D"}})
        stage.world.kubernetes.clusters["aks-east"].apply(BARE)
        await stage.clock.advance(MINUTE)
        announce(stage)
        await reach(stage, "distribute")
        await stage.clock.advance(timedelta(hours=2, minutes=20))
        answer, refused = await call(stage, "POST", f"rotations/{RUN}/abort")
        assert (answer, refused["reason"]) == (409, "OldRootEnding")
        await send(stage, "abort")
        await stage.clock.advance(12 * MINUTE)
        assert status(stage)["phase"] == "distribute"
        assert any("word not acted on" in line and "OldRootEnding" in line for line in stage.log)


async def test_a_cluster_that_joins_with_the_new_root_alone_gets_both_roots_before_an_issuer_of_the_old_one() -> None:
    async with small_mesh() as stage:
        untrusted: list[str] = []
        join_at(stage, "reissue", signer=NEW_ROOT)

        def watch(_: OrchestrationState) -> None:
            late = stage.world.kubernetes.clusters.get("aks-late")
            if late and not watched:
                watched.append(late)
                late.listeners.append(note_untrusted(late, untrusted))

        watched: list[SimulatedCluster] = []
        stage.host.on_change(watch)
        announce(stage)
        await reach(stage, "settle")
        await send(stage, "abort")
        await stage.run(RUN)
        (run,) = runs(stage)
        assert (run.status, run.output["outcome"]) == ("Completed", "aborted"), run.failure
        assert len(run.output["members"]) == 2
        assert watched
        assert not untrusted
        assert bundle_of(stage, "aks-late").count("BEGIN") == 1
        assert not stage.world.linkerd.broken_pairs()


async def test_no_issuer_is_renewed_under_a_root_that_the_member_s_own_bundle_does_not_hold() -> None:
    async with small_mesh(seeded=half_lived, settings=SWEPT) as stage:
        east, untrusted = stage.world.kubernetes.clusters["aks-east"], list[str]()
        now = stage.clock.now()
        foreign = vault(stage).seed_root("other", subject_cn="o", not_before=now, not_after=now + 900 * HOUR, tags={})
        pem = foreign.public_bytes(serialization.Encoding.PEM).decode()
        east.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": BUNDLE, "namespace": "linkerd"},
                "data": {"ca-bundle.crt": pem},
            }
        )
        east.listeners.append(note_untrusted(east, untrusted))
        await stage.clock.advance(3 * HOUR)
        assert not untrusted
        (first, *_) = (i for i in stage.host.instances() if i.name == "renew_issuers" and i.output)
        assert [one["reason"] for one in first.output] == ["SignerNotTrusted"]


async def test_an_abort_before_the_new_root_is_distributed_writes_and_restarts_nothing_in_a_cluster() -> None:
    async with small_mesh() as stage:
        announce(stage)
        await stage.run(lambda: any(NEW_ROOT in line for line in writes(stage)))
        await send(stage, "abort")
        await stage.run(RUN)
        (run,) = runs(stage)
        assert (run.output["outcome"], bool(run.output["new_root"])) == ("aborted", True)
        assert not [line for line in writes(stage) if "/k8s/" in line]
