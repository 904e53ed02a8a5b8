"""Linkerd seen and changed through the API server, and what becomes of the handshakes between its proxies."""

import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.linkerd.installation import RELEASES
from local.cloud.linkerd.manifests import link
from local.cloud.linkerd.roots import new_root
from local.cloud.world import World
from local.scenario import KEY_VAULT, OLD_ROOT, TRUST_DOMAIN, install_linkerd, seed_trust, workloads
from shared.adapters.azure.clusters import Clusters
from shared.adapters.kubernetes.api import Kubernetes
from shared.adapters.meshes.linkerd import Linkerd, LinkerdMesh
from shared.domain.errors import PermanentError, TemporaryError
from shared.domain.trust.certificates import fingerprint, fingerprints
from shared.domain.trust.linkerd.certificates import bundle_pem
from shared.domain.trust.linkerd.fitness import require_config
from shared.domain.trust.linkerd.gates import (
    desired_trust,
    issuer_gate,
    leaf_gate,
    pods_without_reload,
    trust_gate,
    trusts,
)
from shared.domain.trust.linkerd.owners import require_unchanged
from shared.domain.trust.linkerd.waves import next_restarts
from shared.domain.trust.phases import Phase, Roots
from shared.domain.trust.policy import TrustPolicy
from tests.worlds import sdk
from tests.worlds.admission import everyone
from tests.worlds.settings import settings

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BEGUN = datetime.fromtimestamp(0, UTC)
CLUSTERS = ("aks-east", "aks-west")


class TwoMeshes:
    """Two meshes of one trust domain, with the root they have and one that is to come."""

    def __init__(self, world: World, meshes: list[LinkerdMesh]) -> None:
        self.world, self.meshes = world, meshes
        old = world.key_vaults.vaults["kv-meshward"].certificate(OLD_ROOT).current.certificate
        assert old is not None
        self.old, self.new = old, new_root(f"root.linkerd.{TRUST_DOMAIN} g0002", world.clock.now())

    @property
    def cluster(self) -> SimulatedCluster:
        return self.world.kubernetes.clusters[CLUSTERS[0]]

    @property
    def new_certificate(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.new.pem.encode())

    async def distribute(self) -> None:
        """Write the bundle of both roots and let the kubelets see it; no proxy is restarted."""
        for mesh in self.meshes:
            seen = await mesh.bundle()
            text = bundle_pem(Phase.DISTRIBUTE, seen.pem, self.old, self.new_certificate)
            await mesh.write_bundle(seen, text, self.world.clock.now())
        await self.world.clock.advance(5 * MINUTE)

    async def restart(self, *kinds: str) -> None:
        for mesh in self.meshes:
            await self._restart(mesh, kinds)

    async def _restart(self, mesh: LinkerdMesh, kinds: tuple[str, ...]) -> None:
        desired = desired_trust(Phase.DISTRIBUTE, self.roots, await mesh.bundle())
        for _ in range(20):
            stale = [p for p in await mesh.proxies() if not trusts(p, desired)]
            due = next_restarts(
                await mesh.workloads(), stale, self.world.clock.now(), TrustPolicy(), since=BEGUN, waves=kinds
            )
            for workload in due:
                await mesh.restart(workload, self.world.clock.now())
            await self.world.clock.advance(2 * MINUTE)

    async def activate(self) -> None:
        """Replace every issuer by one under the new root and let the identity controllers load it."""
        certificate, key = self.new.issuer(f"identity.linkerd.{TRUST_DOMAIN}", self.world.clock.now(), timedelta(90))
        for mesh in self.meshes:
            seen, text = await mesh.issuer(), (await mesh.bundle()).pem
            await mesh.write_issuer(seen, certificate=certificate, key=key, bundle=text, now=self.world.clock.now())
        await self.world.clock.advance(5 * MINUTE)

    @property
    def roots(self) -> Roots:
        new = fingerprint(self.new_certificate)
        return Roots(old=fingerprint(self.old), new=new, old_version="1", new_version="2")


@pytest.fixture
async def fleet(world: World) -> AsyncIterator[TwoMeshes]:
    seed_trust(world, 2)
    async with opened(world) as fleet:
        yield fleet


@asynccontextmanager
async def opened(world: World) -> AsyncIterator[TwoMeshes]:
    rotator = sdk.aio(world, world.entra.add("rotator"))
    clusters = Clusters(settings(world), **rotator)
    linkerd = Linkerd(Kubernetes(clusters, everyone))
    await world.clock.advance(10 * MINUTE)
    async with AsyncExitStack() as stack:
        ids = {c.name: c.id for c in await clusters.list()}
        yield TwoMeshes(
            world, [await stack.enter_async_context(linkerd.mesh(ids[name], TRUST_DOMAIN)) for name in sorted(ids)]
        )


async def test_the_mesh_tells_how_it_was_installed(fleet: TwoMeshes) -> None:
    config = await fleet.meshes[0].config()
    assert config is not None
    assert (config.external_ca, config.issuer_scheme, config.trust_domain) == (True, "kubernetes.io/tls", TRUST_DOMAIN)


async def test_every_live_proxy_is_seen_with_its_workload_and_roots(fleet: TwoMeshes) -> None:
    seen = await fleet.meshes[0].proxies()
    live = [p for p in fleet.world.linkerd.proxies(TRUST_DOMAIN) if p.cluster == CLUSTERS[0]]
    assert len(seen) == len(live) > 20
    injected = [p for p in seen if p.roots is not None]
    assert {p.roots for p in injected} == {frozenset({fingerprint(fleet.old)})}
    kinds = {p.workload.split("/")[0] for p in seen}
    assert kinds == {"Deployment", "StatefulSet", "DaemonSet"}
    assert {p.namespace for p in seen if p.roots is None} == {"linkerd"}
    assert all(p.started_at and p.created_at <= p.started_at for p in seen)


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
async def test_pods_that_have_ended_do_not_count(fleet: TwoMeshes, phase: str) -> None:
    before = len(await fleet.meshes[0].proxies())
    pod = next(p for p in fleet.cluster.objects("Pod", "shop"))
    fleet.cluster.apply({**pod, "metadata": {**pod["metadata"], "ownerReferences": []}, "status": {"phase": phase}})
    after = await fleet.meshes[0].proxies()
    assert len(after) == before - 1
    assert pod["metadata"]["name"] not in {p.pod for p in after}


async def test_a_bundle_written_over_one_of_kubectl_is_ours_and_dated(fleet: TwoMeshes) -> None:
    assert (await fleet.meshes[0].bundle()).owner == ""
    await fleet.distribute()
    found = await fleet.meshes[0].bundle()
    assert found.written_at == fleet.world.clock.now() - 5 * MINUTE
    assert fingerprints(found.pem) == {fleet.roots.old, fleet.roots.new}


async def test_who_else_writes_the_bundle_is_named(fleet: TwoMeshes) -> None:
    found = fleet.cluster.get("ConfigMap", "linkerd", "linkerd-identity-trust-roots")
    text = found["data"]["ca-bundle.crt"] + "\n"
    fleet.cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": found["metadata"]["name"], "namespace": "linkerd"},
            "data": {"ca-bundle.crt": text},
        },
        manager="trust-manager",
    )
    assert (await fleet.meshes[0].bundle()).owner == "trust-manager"


async def test_a_bundle_that_somebody_changed_is_not_overwritten(fleet: TwoMeshes) -> None:
    mesh, now = fleet.meshes[0], fleet.world.clock.now()
    seen = await mesh.bundle()
    await mesh.write_bundle(seen, seen.pem, now)
    require_unchanged("aks-east", await mesh.bundle())
    with pytest.raises(TemporaryError, match="409"):
        await mesh.write_bundle(seen, "mine", now)
    hand = {
        "metadata": {"name": "linkerd-identity-trust-roots", "namespace": "linkerd"},
        "data": {"ca-bundle.crt": "X"},
    }
    fleet.cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", **hand})
    with pytest.raises(PermanentError, match="BundleDrift"):
        require_unchanged("aks-east", await mesh.bundle())


async def test_a_bundle_that_was_made_anew_is_known_for_another_by_the_issuer(fleet: TwoMeshes) -> None:
    mesh, now = fleet.meshes[0], fleet.world.clock.now()
    seen, issuer = await mesh.bundle(), await mesh.issuer()
    await mesh.write_bundle(seen, seen.pem, now)
    await mesh.write_issuer_bundle(issuer, seen.pem)
    require_unchanged("aks-east", await mesh.bundle(), await mesh.issuer())
    fleet.cluster.delete("ConfigMap", "linkerd", "linkerd-identity-trust-roots")
    meta = {"name": "linkerd-identity-trust-roots", "namespace": "linkerd"}
    fleet.cluster.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"ca-bundle.crt": seen.pem}}
    )
    with pytest.raises(PermanentError, match="BundleDrift"):
        require_unchanged("aks-east", await mesh.bundle(), await mesh.issuer())


async def test_an_issuer_of_ours_is_renewed_but_that_of_others_is_drift(fleet: TwoMeshes) -> None:
    mesh = fleet.meshes[0]
    for _ in range(2):
        await fleet.activate()
        require_unchanged("aks-east", await mesh.issuer())
        require_unchanged("aks-east", await mesh.bundle(), await mesh.issuer())  # which nobody has written yet
    meta = {"name": "linkerd-identity-issuer", "namespace": "linkerd"}
    data = {"tls.crt": base64.b64encode(b"theirs").decode()}
    fleet.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data})
    with pytest.raises(PermanentError, match="IssuerDrift"):
        require_unchanged("aks-east", await mesh.issuer())


async def test_what_else_is_in_the_issuer_s_secret_is_neither_read_nor_lost(fleet: TwoMeshes) -> None:
    binary = base64.b64encode(bytes(range(256))).decode()
    meta = {"name": "linkerd-identity-issuer", "namespace": "linkerd"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": {"keystore.p12": binary}}
    fleet.cluster.apply(secret)
    assert (await fleet.meshes[0].issuer()).holds_key
    await fleet.activate()
    assert (await fleet.meshes[0].issuer()).holds_key
    assert fleet.cluster.get("Secret", "linkerd", "linkerd-identity-issuer")["data"]["keystore.p12"] == binary


async def test_machines_outside_block_the_gates_until_their_keepers_say_how_they_are(fleet: TwoMeshes) -> None:
    mesh, clock = fleet.meshes[0], fleet.world.clock
    vm = {"apiVersion": "workload.linkerd.io/v1beta1", "kind": "ExternalWorkload", "spec": {}}
    meta: dict[str, Any] = {"name": "vm-1", "namespace": "shop"}
    fleet.cluster.apply({**vm, "metadata": meta})
    await fleet.distribute()
    await fleet.restart("Deployment", "DaemonSet", "StatefulSet")
    desired = desired_trust(Phase.DISTRIBUTE, fleet.roots, await mesh.bundle())
    (blocker,) = trust_gate(await mesh.proxies(), desired).blockers
    assert blocker.startswith("shop/vm-1 (outside the cluster, set its annotations meshward/trusts")
    since = clock.now() - MINUTE
    said = {"meshward/trusts": f"{fleet.roots.old}, {fleet.roots.new}", "meshward/started-at": clock.now().isoformat()}
    (machine,) = [p for p in await mesh.proxies() if p.pod == "vm-1"]
    assert not leaf_gate([machine], await mesh.leaves_refreshed_at([machine], DAY), since).passed
    fleet.cluster.apply({**vm, "metadata": {**meta, "annotations": said}})
    (machine,) = [p for p in await mesh.proxies() if p.pod == "vm-1"]
    assert trust_gate(await mesh.proxies(), desired).passed
    assert leaf_gate([machine], {}, since).passed


async def test_links_name_the_clusters_whose_services_are_mirrored(fleet: TwoMeshes) -> None:
    assert await fleet.meshes[0].links() == []
    for target in ("west", "north"):
        for manifest in link(target):
            fleet.cluster.apply(manifest)
            await fleet.world.clock.advance(MINUTE)
    assert sorted(await fleet.meshes[0].links()) == ["north", "west"]


async def test_an_issuer_that_somebody_changed_is_not_overwritten(fleet: TwoMeshes) -> None:
    mesh, now = fleet.meshes[0], fleet.world.clock.now()
    seen = await mesh.issuer()
    written: dict[str, Any] = {"certificate": "C", "key": "K", "bundle": "B", "now": now}
    await mesh.write_issuer(seen, **written)
    with pytest.raises(TemporaryError, match="409"):
        await mesh.write_issuer(seen, **written)


async def test_a_restart_asked_for_twice_happens_once(fleet: TwoMeshes) -> None:
    mesh, now = fleet.meshes[0], fleet.world.clock.now()
    web = next(w for w in await mesh.workloads() if w.name == "web")
    assert not web.rolling
    await mesh.restart(web, now)
    with pytest.raises(TemporaryError, match="409"):
        await mesh.restart(web, now)
    again = next(w for w in await mesh.workloads() if w.name == "web")
    assert again.rolling
    assert again.restarted_at == now
    await fleet.world.clock.advance(5 * MINUTE)
    assert not next(w for w in await mesh.workloads() if w.name == "web").rolling


async def test_identity_replicas_report_the_issuer_that_they_use(fleet: TwoMeshes) -> None:
    replicas = await fleet.meshes[0].identity_pods(fleet.world.clock.now())
    issuer = x509.load_pem_x509_certificate((await fleet.meshes[0].issuer()).certificate.encode())
    assert len(replicas) == 3
    for replica in replicas:
        assert replica.ready
        assert replica.issuer_expires_at is not None
        assert abs(replica.issuer_expires_at - issuer.not_valid_after_utc) < timedelta(seconds=2)


async def test_leaves_are_renewed_within_a_day_and_tell_when(fleet: TwoMeshes) -> None:
    mesh, since = fleet.meshes[0], fleet.world.clock.now()
    proxies = await mesh.proxies()
    assert not leaf_gate(proxies, await mesh.leaves_refreshed_at(proxies, DAY), since).passed
    await fleet.world.clock.advance(18 * HOUR)
    assert leaf_gate(proxies, await mesh.leaves_refreshed_at(proxies, DAY), since).passed


async def test_a_pod_that_is_gone_has_no_leaf_to_tell_of(fleet: TwoMeshes) -> None:
    mesh = fleet.meshes[0]
    proxies = await mesh.proxies()
    gone = next(p for p in proxies if p.workload.startswith("Deployment/shop"))
    fleet.cluster.delete("Pod", gone.namespace, gone.pod)
    await fleet.world.clock.advance(2 * MINUTE)
    assert await mesh.leaves_refreshed_at([gone], DAY) == {gone.id: None}


async def test_without_b1_handshakes_fail_and_the_gate_would_have_said_so(fleet: TwoMeshes) -> None:
    await fleet.distribute()
    desired = desired_trust(Phase.DISTRIBUTE, fleet.roots, await fleet.meshes[0].bundle())
    verdict = trust_gate(await fleet.meshes[0].proxies(), desired)
    assert (verdict.passed, verdict.reason) == (False, "ProxiesLackRoots")

    await fleet.restart("Deployment")  # StatefulSets and DaemonSets are forgotten
    assert not trust_gate(await fleet.meshes[0].proxies(), desired).passed
    await fleet.activate()
    await fleet.world.clock.advance(20 * HOUR)
    assert fleet.world.linkerd.failed


async def test_past_b1_the_new_issuer_breaks_nothing(fleet: TwoMeshes) -> None:
    await fleet.distribute()
    await fleet.restart("Deployment", "DaemonSet", "StatefulSet")
    for mesh in fleet.meshes:
        assert trust_gate(
            await mesh.proxies(), desired_trust(Phase.DISTRIBUTE, fleet.roots, await mesh.bundle())
        ).passed
    await fleet.activate()
    await fleet.world.clock.advance(25 * HOUR)
    assert not fleet.world.linkerd.failed
    assert not fleet.world.linkerd.broken_pairs()
    assert fleet.world.linkerd.handshakes > 1000


@pytest.mark.parametrize("line", RELEASES)
async def test_a_mesh_of_every_line_goes_through_all_gates(world: World, line: str) -> None:
    seed_trust(world, 0)
    world.aks.add("aks-east")
    install_linkerd(world, world.key_vaults.vaults[KEY_VAULT], "aks-east", version=line)
    for manifest in workloads():
        world.kubernetes.clusters["aks-east"].apply(manifest)
    async with opened(world) as fleet:
        (mesh,), clock = fleet.meshes, world.clock
        require_config("aks-east", await mesh.config(), TRUST_DOMAIN)
        await fleet.distribute()
        desired = desired_trust(Phase.DISTRIBUTE, fleet.roots, await mesh.bundle())
        assert not trust_gate(await mesh.proxies(), desired).passed
        await fleet.restart("Deployment", "DaemonSet", "StatefulSet")
        assert trust_gate(await mesh.proxies(), desired).passed

        await fleet.activate()
        issuer = await mesh.issuer()
        expires = x509.load_pem_x509_certificate(issuer.certificate.encode()).not_valid_after_utc
        assert issuer.written_at
        replicas = await mesh.identity_pods(clock.now())
        reports = issuer_gate(replicas, expires, issuer.written_at).passed
        assert reports is (line >= "2.18"), "older replicas don't tell which issuer they use: they are restarted"
        if missed := pods_without_reload(replicas, expires, issuer.written_at, clock.now()):
            stale = [p for p in await mesh.proxies() if p.id in [replica.pod for replica in missed]]
            for workload in next_restarts(await mesh.workloads(), stale, clock.now(), TrustPolicy(), since=BEGUN):
                await mesh.restart(workload, clock.now())
            await clock.advance(5 * MINUTE)
        assert issuer_gate(await mesh.identity_pods(clock.now()), expires, issuer.written_at).passed

        since, proxies = clock.now(), await mesh.proxies()
        assert not leaf_gate(proxies, await mesh.leaves_refreshed_at(proxies, DAY), since).passed
        await clock.advance(18 * HOUR)
        assert leaf_gate(proxies, await mesh.leaves_refreshed_at(proxies, DAY), since).passed
        assert not world.linkerd.failed
