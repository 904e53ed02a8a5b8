"""What is seen of a member's mesh: facts that gates and decisions judge."""

from datetime import datetime, timedelta

import msgspec


class MeshConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How the mesh was installed. `external_ca` and `scheme` say who writes the bundle and the issuer.

    `leaf_life` is from when a leaf is issued until it expires, with the allowance for clock skew.
    """

    version: str
    external_ca: bool
    scheme: str
    trust_domain: str
    leaf_life: timedelta


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """The mesh's bundle.

    `applied` is when we wrote it last, `written` the SHA-256 of what we wrote then (None and empty: never), `owner`
    which other tool writes it (empty: none).
    """

    text: str
    resource_version: str = ""
    applied: datetime | None
    written: str = ""
    owner: str


class IssuerSecret(msgspec.Struct, frozen=True, kw_only=True):
    """The member's issuer (PEM), without its key, and the bundle beside it, which `linkerd check` reads.

    `applied`, `written` and `owner` are of the issuer, as a bundle's are; `bundle_written` is the SHA-256 of the bundle
    that we wrote beside it (empty: none).
    """

    certificate: str
    bundle: str
    resource_version: str
    applied: datetime | None
    written: str = ""
    bundle_written: str = ""
    owner: str


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """A live proxy. `roots` are the fingerprints in its pod's spec, None if it takes them from the mesh's bundle.

    `workload` is `Kind/namespace/name` of what a restart would replace it by, empty if there is nothing; `controller`
    the kind of what made the pod, empty if somebody did; `started` is when its container started, None while it hasn't.
    """

    namespace: str
    pod: str
    workload: str
    controller: str = ""
    created: datetime
    started: datetime | None
    roots: frozenset[str] | None

    @property
    def id(self) -> str:
        return f"{self.namespace}/{self.pod}"


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """A Deployment, DaemonSet or StatefulSet of `size` pods.

    `rolling` until every pod is of the newest template and ready, `replaced` as soon as none is of an older one,
    `stuck` if Kubernetes has given the rollout up. `fixed` says why a restart wouldn't help, empty if it would.
    `restarted` is when a restart was last asked for.
    """

    kind: str
    namespace: str
    name: str
    size: int
    resource_version: str
    rolling: bool
    replaced: bool
    stuck: bool
    fixed: str
    restarted: datetime | None

    @property
    def id(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"


class Replica(msgspec.Struct, frozen=True, kw_only=True):
    """A pod of the identity controller; `expires` is its issuer's NotAfter as it reports it, None if it doesn't."""

    pod: str
    created: datetime
    ready: bool
    expires: datetime | None
