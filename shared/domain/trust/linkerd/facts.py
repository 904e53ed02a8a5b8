"""What is seen of a member's Linkerd: facts that gates and decisions judge."""

from datetime import datetime, timedelta

import msgspec


class MeshConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How Linkerd was installed."""

    version: str  # of Linkerd
    external_ca: bool  # whether somebody else than Linkerd's chart writes the bundle
    issuer_scheme: str  # `kubernetes.io/tls` where somebody else writes the issuer
    trust_domain: str  # that the proxies' identities are in
    leaf_lifetime: timedelta  # from issue to expiry, with the allowance for clock skew


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """The trust bundle of the mesh."""

    pem: str  # the roots' certificates
    resource_version: str = ""  # by which a write notices a change since
    written_at: datetime | None  # when Meshward wrote it last; None: never
    written_sha256: str = ""  # of what Meshward wrote then
    owner: str  # which other tool writes it; empty: none


class IssuerSecret(msgspec.Struct, frozen=True, kw_only=True):
    """The member's issuer, without its key, and the copy of the bundle beside it, which `linkerd check` reads."""

    certificate: str  # PEM
    holds_key: bool  # whether the private key beside it is the certificate's
    bundle: str  # PEM
    resource_version: str  # by which a write notices a change since
    written_at: datetime | None  # when Meshward wrote the issuer last; None: never
    written_sha256: str = ""  # of the certificate that Meshward wrote then
    bundle_sha256: str = ""  # of the bundle that Meshward wrote beside it; empty: none
    owner: str  # which other tool writes the issuer; empty: none


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """A live proxy."""

    namespace: str  # of the pod
    pod: str  # its name
    workload: str  # `Kind/namespace/name` of what a restart would replace the pod by; empty: nothing
    controller: str = ""  # the kind of what made the pod; empty: somebody did
    created_at: datetime  # UTC: when the pod was
    started_at: datetime | None  # when its container started; None: it hasn't yet
    ending: bool = False  # whether the pod is being deleted, and still there
    roots: frozenset[str] | None  # fingerprints in the pod's spec; None: the proxy takes them from the mesh's bundle

    @property
    def id(self) -> str:
        return f"{self.namespace}/{self.pod}"


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """A Deployment, DaemonSet, StatefulSet or Rollout."""

    kind: str  # one of these, as `waves` calls them
    namespace: str  # where it is
    name: str  # within its namespace
    replicas: int  # that it should have
    resource_version: str  # by which a write notices a change since
    rolling: bool  # until every pod is of the newest template and ready
    replaced: bool  # as soon as no pod is of an older template
    stuck: bool  # whether Kubernetes has given the rollout up
    obstacle: str  # why a restart wouldn't replace its pods, and what to do; empty: it would
    restarted_at: datetime | None  # when a restart was last asked for

    @property
    def id(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"


class IdentityPod(msgspec.Struct, frozen=True, kw_only=True):
    """A pod of the identity controller."""

    pod: str  # `namespace/pod`
    created_at: datetime  # UTC
    ready: bool  # by its condition
    issuer_expires_at: datetime | None  # NotAfter of the issuer that it uses; None: it doesn't report that
    readable: bool = True  # whether it could be asked at all


class ReloadLook(msgspec.Struct, frozen=True, kw_only=True):
    """Which replicas of the identity controller seem to have missed the new issuer."""

    pods: list[str] = []
