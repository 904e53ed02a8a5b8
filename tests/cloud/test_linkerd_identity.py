"""The simulated Linkerd's identity: which issuers and bundles it takes and when, and how proxies renew their leaves."""

import base64
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from local.cloud.clock import Clock
from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.objects import Object, is_ready
from local.cloud.linkerd.certificates import BadBundle, Certificates
from local.cloud.linkerd.roots import RootWithKey, new_root
from local.cloud.world import World
from tests.worlds.kubernetes import client_for
from tests.worlds.mesh import DOMAIN, ISSUER, MeshWorld, events, pods
from tests.worlds.times import HOUR, MINUTE


async def test_every_identity_replica_takes_a_new_issuer_in_its_own_time_and_says_so(mesh: MeshWorld) -> None:
    cluster = mesh.clusters[0]
    mesh.issue_under(mesh.old)
    await mesh.world.clock.advance(timedelta(seconds=2))
    assert events(cluster, "IssuerUpdated") == []
    await mesh.world.clock.advance(2 * MINUTE)
    assert len(events(cluster, "IssuerUpdated")) == 3
    mesh.issue_under(mesh.old)
    await mesh.world.clock.advance(2 * MINUTE)
    assert [e["count"] for e in events(cluster, "IssuerUpdated")] == [2, 2, 2]


async def test_identity_skips_an_issuer_under_a_root_that_it_did_not_read_at_its_start(mesh: MeshWorld) -> None:
    cluster = mesh.clusters[0]
    mesh.bundle(mesh.old.pem + mesh.new.pem)
    await mesh.world.clock.advance(2 * MINUTE)
    mesh.issue_under(mesh.new)
    await mesh.world.clock.advance(2 * MINUTE)
    assert events(cluster, "IssuerUpdated") == []
    assert len(events(cluster, "IssuerUpdateSkipped")) == 3
    await mesh.restart_control_planes()
    plane = mesh.linkerd.control_planes["c0"]
    certificates = Certificates()
    assert {i.issuer.chain for i in plane.identities.values() if i.issuer} == {
        certificates.read(base64.b64decode(cluster.get("Secret", "linkerd", ISSUER)["data"]["tls.crt"]).decode())
    }


async def test_a_replica_that_misses_the_reload_goes_on_with_the_old_issuer_until_it_restarts(mesh: MeshWorld) -> None:
    cluster = mesh.clusters[0]
    deaf = pods(cluster, "linkerd", "identity")[0]
    mesh.linkerd.miss_reload(deaf)
    mesh.issue_under(mesh.old, lifetime=timedelta(days=10))
    await mesh.world.clock.advance(3 * MINUTE)
    ttl = await issuer_ttl(mesh.world, cluster)
    assert sorted(days > 80 for days in ttl.values()) == [False, False, True]
    assert ttl[deaf["metadata"]["name"]] > 80
    cluster.delete("Pod", "linkerd", deaf["metadata"]["name"])
    await mesh.world.clock.advance(2 * MINUTE)
    assert max((await issuer_ttl(mesh.world, cluster)).values()) < 10


async def issuer_ttl(world: World, cluster: SimulatedCluster) -> dict[str, float]:
    """Days that the issuer in use of each identity pod still lives."""
    found = {}
    for pod in pods(cluster, "linkerd", "identity"):
        text = await metrics(world, cluster, pod, 9990)
        found[pod["metadata"]["name"]] = float(text.split()[1]) / 86_400
    return found


async def metrics(world: World, cluster: SimulatedCluster, pod: Object, port: int) -> str:
    client = client_for(world, cluster.name)
    meta = pod["metadata"]
    path = f"api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}:{port}/proxy/metrics"
    answer = await client._client._client.get(path)
    await client.close()
    return answer.raise_for_status().text if answer.status_code == 200 else f"{answer.status_code}"


async def test_the_metrics_of_a_proxy_describe_its_leaf(mesh: MeshWorld) -> None:
    cluster = mesh.clusters[0]
    text = await metrics(mesh.world, cluster, pods(cluster, "shop")[0], 4191)
    values = dict(line.rsplit(" ", 1) for line in text.splitlines())
    left = float(values["control_identity_cert_expiration_timestamp_seconds"]) - mesh.world.clock.time()
    assert 86_000 < left < 86_420
    assert values['control_identity_cert_refreshes_total{result="ok"}'] == "1"
    assert await metrics(mesh.world, cluster, pods(cluster, "shop")[0], 9990) == "503"


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("2.14", "identity_cert_refresh_count"),
        ("2.15", "identity_cert_refresh_timestamp_seconds"),
        ("2.16", "control_identity_cert_refresh_timestamp_seconds"),
    ],
)
async def test_metrics_bear_the_names_of_the_proxys_version(world: World, version: str, name: str) -> None:
    mesh = MeshWorld(world, clusters=1, version=version)
    await world.clock.advance(3 * MINUTE)
    text = await metrics(world, mesh.clusters[0], pods(mesh.clusters[0], "shop")[0], 4191)
    assert name in {line.split()[0] for line in text.splitlines()}
    assert await metrics(world, mesh.clusters[0], pods(mesh.clusters[0], "linkerd", "identity")[0], 9990) == "\n"


async def test_leaves_are_renewed_after_seventy_percent_of_their_lifetime(mesh: MeshWorld) -> None:
    first = {p: p.leaf for p in mesh.linkerd.proxies(DOMAIN)}
    await mesh.world.clock.advance(16 * HOUR)
    assert {p: p.leaf for p in mesh.linkerd.proxies(DOMAIN)} == first
    await mesh.world.clock.advance(HOUR)
    assert all(p.leaf is not first[p] for p in mesh.linkerd.proxies(DOMAIN))


async def test_a_leaf_never_outlives_its_issuer_and_its_renewal_after_that_is_refused(mesh: MeshWorld) -> None:
    mesh.issue_under(mesh.old, lifetime=timedelta(hours=10))
    await mesh.world.clock.advance(3 * MINUTE)
    await mesh.restart_control_planes()
    await mesh.restart_workloads()
    ends = max(p.leaf.not_after for p in mesh.linkerd.proxies(DOMAIN) if p.leaf)
    assert ends < mesh.world.clock.time() + 10 * 3600
    await mesh.world.clock.advance(10 * HOUR)
    assert events(mesh.clusters[0], "IssuerValidationFailed")
    assert any("CertExpired" in f.reason for f in mesh.linkerd.failed)
    mesh.issue_under(mesh.old)
    await mesh.world.clock.advance(3 * MINUTE)
    assert mesh.linkerd.broken_pairs() == []


async def test_a_proxy_that_only_knows_the_old_root_can_not_renew_under_the_new_one(mesh: MeshWorld) -> None:
    mesh.bundle(mesh.old.pem + mesh.new.pem)
    await mesh.world.clock.advance(2 * MINUTE)
    await mesh.restart_control_planes()
    mesh.issue_under(mesh.new)
    await mesh.world.clock.advance(3 * MINUTE)
    await mesh.restart_control_planes()
    stale = [p for p in mesh.linkerd.proxies(DOMAIN) if not p.is_control_plane]
    before = {p: p.leaf for p in stale}
    await mesh.world.clock.advance(17 * HOUR)
    assert {p: p.leaf for p in stale} == before
    assert all(p.refreshes == {"ok": 1, "error": 0} for p in stale)


@pytest.mark.parametrize("tail", ["\n", " ", "# the end\n"])
async def test_text_after_the_last_block_sends_identity_into_a_crash_loop_at_its_next_start(
    mesh: MeshWorld, tail: str
) -> None:
    cluster = mesh.clusters[0]
    mesh.bundle(mesh.old.pem + tail)
    await mesh.world.clock.advance(2 * MINUTE)
    assert all(map(is_ready, pods(cluster, "linkerd", "identity")))
    await mesh.restart_control_planes()
    crashing = [p for p in pods(cluster, "linkerd", "identity") if not is_ready(p)]
    state = crashing[0]["status"]["containerStatuses"][0]["state"]
    assert state["waiting"]["reason"] == "CrashLoopBackOff"
    assert "Failed to read trust anchors: not a PEM certificate" in state["waiting"]["message"]
    mesh.bundle(mesh.old.pem)
    await mesh.world.clock.advance(10 * MINUTE)
    assert all(map(is_ready, pods(cluster, "linkerd", "identity")))


def test_identity_reads_bundles_more_strictly_than_proxies(clock: Clock) -> None:
    one, two = new_root("one", clock.now()), new_root("two", clock.now())
    key = one.issuer("i", one.certificate.not_valid_before_utc)[1]
    certificates = Certificates()
    both = (one.fingerprint, two.fingerprint)
    for text in (one.pem + two.pem, one.pem + two.pem.rstrip(), f"# one\n\n{one.pem}\n# two\n{two.pem}"):
        assert certificates.read_strictly(text) == certificates.read(text) == both
    assert certificates.read_strictly((one.pem + two.pem).replace("\n", "\r\n")) == both
    mixed = one.pem + key + two.pem
    assert certificates.read_strictly(mixed) == (one.fingerprint,)
    assert certificates.read(mixed) == both
    with pytest.raises(BadBundle, match="not a PEM certificate"):
        certificates.read_strictly(one.pem + "\n")


async def test_an_issuer_without_the_ca_flag_is_skipped(mesh: MeshWorld) -> None:
    cluster = mesh.clusters[0]
    certificate, key = mesh.old.issuer("identity", mesh.world.clock.now(), ca=False)
    data = {"tls.crt": certificate, "tls.key": key}
    meta = {"name": ISSUER, "namespace": "linkerd"}
    encoded = {n: base64.b64encode(t.encode()).decode() for n, t in data.items()}
    cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": encoded})
    await mesh.world.clock.advance(2 * MINUTE)
    assert "not a CA" in events(cluster, "IssuerUpdateSkipped")[0]["message"]


async def test_an_issuer_with_the_key_of_another_is_skipped(mesh: MeshWorld) -> None:
    cluster = mesh.clusters[0]
    files = {"tls.crt": mesh.issuer(mesh.old)[0], "tls.key": mesh.issuer(mesh.old)[1]}
    meta = {"name": ISSUER, "namespace": "linkerd"}
    data = {name: base64.b64encode(text.encode()).decode() for name, text in files.items()}
    cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data})
    await mesh.world.clock.advance(2 * MINUTE)
    assert "Public and private key do not match" in events(cluster, "IssuerUpdateSkipped")[0]["message"]


def test_a_leaf_is_refused_under_an_issuer_that_did_not_sign_it(clock: Clock) -> None:
    certificates, root, now = Certificates(), new_root("root", clock.now()), clock.time()
    roots = certificates.read(root.pem)
    one, two = (certificates.load_issuer(*root.issuer("issuer", clock.now()), roots, now) for _ in range(2))
    leaf = certificates.issue(one, "web.shop", now)
    assert certificates.refusal(leaf, "web.shop", roots, now) == ""
    assert certificates.refusal(leaf, "cart.shop", roots, now) == "NotValidForName"
    assert certificates.refusal(replace(leaf, chain=two.chain), "web.shop", roots, now) == "BadSignature"


def below(authority: tuple[str, str]) -> RootWithKey:
    """An issuer that issues issuers, which its path length forbids."""
    key = serialization.load_pem_private_key(authority[1].encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return RootWithKey(certificate=x509.load_pem_x509_certificate(authority[0].encode()), key=key)


def test_only_proxies_notice_that_a_path_is_longer_than_an_authority_allows(clock: Clock) -> None:
    certificates, now = Certificates(), clock.now()
    root = new_root("root", now)
    above = root.issuer("above", now)
    pem, key = below(above).issuer("below", now)
    roots = certificates.read(root.pem)
    leaf = certificates.issue(certificates.load_issuer(pem + above[0], key, roots, clock.time()), "web", clock.time())
    assert certificates.refusal(leaf, "web", roots, clock.time()) == "PathLenConstraintViolated"


def test_proxies_take_the_dates_of_a_root_on_trust_but_identity_does_not(clock: Clock) -> None:
    certificates, now = Certificates(), clock.now()
    root = new_root("root", now, timedelta(hours=1))
    pem, key = root.issuer("issuer", now)
    roots = certificates.read(root.pem)
    issuer = certificates.load_issuer(pem, key, roots, clock.time())
    later = clock.time() + 2 * 3600
    assert certificates.refusal(certificates.issue(issuer, "web", clock.time()), "web", roots, later) == ""
    with pytest.raises(BadBundle, match="has expired"):
        certificates.check_issuer(issuer, roots, later)
