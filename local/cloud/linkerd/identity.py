"""One replica of Linkerd's identity controller.

Rules:
- The trust roots are read once, at start; a bundle that the parser refuses, or an issuer that doesn't verify against
  it, ends the process.
- The issuer is loaded again when the kubelet renames `..data`, and only then; a bad one is skipped with an event.
- The issuer in use is checked again at each request.
"""

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.errors import StatusError
from local.cloud.kubernetes.events import record
from local.cloud.kubernetes.mounts import Mount
from local.cloud.kubernetes.objects import Object
from local.cloud.linkerd.certificates import BadBundle, Certificates, Issuer, Leaf
from local.cloud.linkerd.installation import BUNDLE_KEY, ISSUER, NAMESPACE, TRUST_ROOTS


class CertificateRefused(Exception):
    """A request for a certificate that was not fulfilled."""


class IdentityReplica:
    """A replica, from its pod's first start to its end; `failure` says why it doesn't run, `misses` skips reloads."""

    def __init__(self, cluster: SimulatedCluster, pod: Object, certificates: Certificates) -> None:
        self._cluster, self._pod, self._certificates = cluster, pod, certificates
        self._roots_file = Mount(cluster, pod, "ConfigMap", TRUST_ROOTS)
        self._issuer_dir = Mount(cluster, pod, "Secret", ISSUER, renamed=self._reload)
        self.roots: tuple[str, ...] = ()
        self.issuer: Issuer | None = None
        self.failure, self.misses = "", 0

    def start(self) -> None:
        self.failure, self.issuer = "", None
        try:
            self.roots = self._certificates.read_strictly(self._roots_file.files.get(BUNDLE_KEY, ""))
        except BadBundle as error:
            self.failure = f"Failed to read trust anchors: {error}"
            return
        try:
            self.issuer = self._load()
        except BadBundle as error:
            self.failure = f"Failed to initialize identity service: {error}"

    def stop(self) -> None:
        self.issuer = None
        self._roots_file.close()
        self._issuer_dir.close()

    def certify(self, name: str) -> Leaf:
        """A leaf for `name`; raises CertificateRefused."""
        if self.issuer is None:
            raise CertificateRefused("the identity controller doesn't run")
        now = self._cluster.clock.time()
        try:
            self._certificates.check_issuer(self.issuer, self.roots, now)
        except BadBundle as error:
            self._event("Warning", "IssuerValidationFailed", f"failed to validate issuer credentials: {error}")
            raise CertificateRefused(str(error)) from None
        return self._certificates.issue(self.issuer, name, now)

    def issuer_seconds(self) -> float | None:
        """How long the issuer in use still lives."""
        return self.issuer.not_after - self._cluster.clock.time() if self.issuer else None

    def _load(self) -> Issuer:
        files, now = self._issuer_dir.files, self._cluster.clock.time()
        return self._certificates.load_issuer(files.get("tls.crt", ""), files.get("tls.key", ""), self.roots, now)

    def _reload(self) -> None:
        if self.issuer is None:
            return
        if self.misses:
            self.misses -= 1
            return
        try:
            self.issuer = self._load()
            self._event("Normal", "IssuerUpdated", "Updated identity issuer")
        except BadBundle as error:
            message = f"Skipping issuer update as certs could not be read from disk: {error}"
            self._event("Warning", "IssuerUpdateSkipped", message)

    def _event(self, type: str, reason: str, message: str) -> None:
        deployment = self._cluster.find("Deployment", NAMESPACE, "linkerd-identity")
        if deployment:
            emit(self._cluster, deployment, type, reason, message, reporter=self._pod["metadata"]["name"])


def emit(cluster: SimulatedCluster, about: Object, type: str, reason: str, message: str, *, reporter: str) -> None:
    """An Event of the identity controller; none where the namespace doesn't take any more."""
    try:
        record(cluster, about, type=type, reason=reason, message=message, source="linkerd-identity", reporter=reporter)
    except StatusError:
        return
