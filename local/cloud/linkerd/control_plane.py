"""Linkerd in one cluster: it injects pods, starts proxies with them and certifies these.

Rules:
- A ready injector replica answers each admission in turn, with the bundle that its own kubelet has brought it so far.
- A proxy with a literal value trusts what its pod spec says; control-plane proxies resolve a ConfigMap key at each
  container start, so their spec doesn't tell.
- Certificates come from a ready identity replica over mutual TLS; an identity pod's own proxy asks over localhost.
  A lapsed leaf is not shown, so that a proxy recovers once there is a good issuer again.
"""

from collections.abc import Sequence
from itertools import count

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.errors import StatusError
from local.cloud.kubernetes.mesh_hooks import CallResult, PodCall
from local.cloud.kubernetes.mounts import Mount
from local.cloud.kubernetes.network_policies import drops, resolves
from local.cloud.kubernetes.objects import Object, is_ready
from local.cloud.linkerd.certificates import Certificates, Leaf
from local.cloud.linkerd.identity import CertificateRefused, IdentityReplica, emit
from local.cloud.linkerd.injection import injected, proxy_of
from local.cloud.linkerd.installation import (
    ANCHORS_ENV,
    BUNDLE_KEY,
    COMPONENT,
    NAMESPACE,
    TRUST_ROOTS,
    WEBHOOK,
    Installation,
)
from local.cloud.linkerd.peers import Peers
from local.cloud.linkerd.policy import TrafficPolicy
from local.cloud.linkerd.proxy import LinkerdProxy, handshake
from local.cloud.linkerd.traffic import Traffic

_INJECT = "linkerd.io/inject"
_PROXY_PORT, _IDENTITY_PORT, _CERTIFY_PORT = 4191, 9990, 8080


class LinkerdControlPlane:
    """A cluster's mesh; `proxies` and `identities` are by pod uid."""

    def __init__(self, cluster: SimulatedCluster, of: Installation, certificates: Certificates, peers: Peers) -> None:
        self.cluster, self.of, self.certificates, self._peers = cluster, of, certificates, peers
        self.proxies: dict[str, LinkerdProxy] = {}
        self.identities: dict[str, IdentityReplica] = {}
        self.policy = TrafficPolicy(cluster, of.trust_domain)
        self._traffic = Traffic(cluster, of.minor, self.proxies, certificates, self.policy)
        self._bundles: dict[str, Mount] = {}
        self._turn = count()

    def admit(self, pod: Object) -> Object:
        if not self._wants_proxy(pod):
            return pod
        replicas = self._ready("proxy-injector", self._bundles)
        if replicas:
            bundle = self._bundles[self._next(replicas)].files.get(BUNDLE_KEY, "")
            return injected(pod, self.of, bundle)
        webhook = self.cluster.find("MutatingWebhookConfiguration", "", WEBHOOK)
        if webhook and webhook["webhooks"][0]["failurePolicy"] == "Fail":
            raise StatusError(
                500,
                "InternalError",
                'Internal error occurred: failed calling webhook "linkerd-proxy-injector.linkerd.io": no endpoints '
                'available for service "linkerd-proxy-injector"',
            )
        return pod

    def start(self, pod: Object) -> None:
        uid, component = pod["metadata"]["uid"], pod["metadata"].get("labels", {}).get(COMPONENT)
        if component == "identity":
            if uid not in self.identities:
                self.identities[uid] = IdentityReplica(self.cluster, pod, self.certificates)
            self.identities[uid].start()
        if component == "proxy-injector" and uid not in self._bundles:
            self._bundles[uid] = Mount(self.cluster, pod, "ConfigMap", TRUST_ROOTS)
        container = proxy_of(pod)
        if container:
            if uid in self.proxies:
                self.proxies.pop(uid).stop()
            anchors = self._anchors(pod, container)
            self.proxies[uid] = LinkerdProxy(self.cluster.name, pod, self.of, anchors, self.certificates, self._peers)
            self.proxies[uid].start(self.cluster.clock, lambda proxy: self._certify(uid, proxy))

    def failure(self, pod: Object) -> str:
        uid = pod["metadata"]["uid"]
        parts = (self.identities.get(uid), self.proxies.get(uid))
        return next((part.failure for part in parts if part and part.failure), "")

    def ready(self, pod: Object) -> bool:
        proxy = self.proxies.get(pod["metadata"]["uid"])
        return proxy is None or proxy.leaf is not None

    def stop(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if uid in self.identities:
            self.identities.pop(uid).stop()
        if uid in self._bundles:
            self._bundles.pop(uid).close()
        if uid in self.proxies:
            self.proxies.pop(uid).stop()

    def metrics(self, pod: Object, port: int) -> str | None:
        uid = pod["metadata"]["uid"]
        if port == _PROXY_PORT and uid in self.proxies:
            return self.proxies[uid].metrics()
        if port == _IDENTITY_PORT and uid in self.identities:
            seconds = self.identities[uid].issuer_seconds()
            return f"issuer_cert_ttl_seconds {seconds}\n" if seconds is not None and self.of.minor >= 18 else "\n"
        return None

    def carry(self, call: PodCall) -> CallResult:
        return self._traffic.carry(call)

    def _wants_proxy(self, pod: Object) -> bool:
        namespace = self.cluster.get("Namespace", "", pod["metadata"]["namespace"])["metadata"]
        if namespace.get("labels", {}).get("config.linkerd.io/admission-webhooks") == "disabled":
            return False
        chosen = namespace.get("annotations", {}).get(_INJECT, "disabled")
        chosen = pod["metadata"].get("annotations", {}).get(_INJECT, chosen)
        return chosen in ("enabled", "ingress") and not pod["spec"].get("hostNetwork") and proxy_of(pod) is None

    def _anchors(self, pod: Object, container: Object) -> str:
        entry: Object = next((e for e in container.get("env", ()) if e["name"] == ANCHORS_ENV), {})
        if "value" in entry:
            return str(entry["value"])
        key = entry.get("valueFrom", {}).get("configMapKeyRef", {})
        config = self.cluster.find("ConfigMap", pod["metadata"]["namespace"], key.get("name", ""))
        return str((config or {}).get("data", {}).get(key.get("key"), ""))

    def _certify(self, uid: str, proxy: LinkerdProxy) -> Leaf:
        identity = self.identities.get(uid)
        if identity is None:
            identity = self._reach_identity(proxy)
        leaf = identity.certify(proxy.identity)
        account = self.cluster.find("ServiceAccount", proxy.namespace, proxy.account)
        if account:
            message = f"issued certificate for {proxy.identity} until {leaf.certificate.not_valid_after_utc:%FT%TZ}"
            emit(self.cluster, account, "Normal", "IssuedLeafCertificate", message, reporter="linkerd-identity")
        return leaf

    def _reach_identity(self, proxy: LinkerdProxy) -> IdentityReplica:
        replicas = self._ready("identity", self.identities)
        if not replicas:
            raise CertificateRefused("no identity replica is ready")
        uid, now = self._next(replicas), self.cluster.clock.time()
        lapsed = proxy.leaf is None or proxy.leaf.not_after < now
        failure = handshake(proxy, self.proxies[uid], self.certificates, now, anonymous=lapsed)
        if failure or self._is_cut_off(proxy, self.proxies[uid]):
            raise CertificateRefused(failure or "connect timed out after 1s")
        return self.identities[uid]

    def _is_cut_off(self, proxy: LinkerdProxy, identity: LinkerdProxy) -> bool:
        """Whether NetworkPolicies keep a proxy from resolving and reaching an identity controller."""
        client, server = (self.cluster.find("Pod", p.namespace, p.pod) for p in (proxy, identity))
        if client is None or server is None:
            return False
        return not resolves(self.cluster, client) or drops(self.cluster, client, server, _CERTIFY_PORT)

    def _ready(self, component: str, running: dict[str, IdentityReplica] | dict[str, Mount]) -> list[str]:
        pods = self.cluster.objects("Pod", NAMESPACE)
        return [
            p["metadata"]["uid"]
            for p in pods
            if p["metadata"]["labels"].get(COMPONENT) == component and is_ready(p) and p["metadata"]["uid"] in running
        ]

    def _next(self, replicas: Sequence[str]) -> str:
        return replicas[next(self._turn) % len(replicas)]
