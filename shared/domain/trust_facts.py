"""What is seen of a member's mesh: facts that gates and decisions judge."""

from datetime import datetime

import msgspec


class MeshConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How the mesh was installed. `external_ca` and `scheme` say who writes the bundle and the issuer."""

    external_ca: bool
    scheme: str
    trust_domain: str


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """The mesh's bundle: its text, when we wrote it last, and which other tool holds it (empty: none)."""

    text: str
    applied: datetime | None
    owner: str


class IssuerSecret(msgspec.Struct, frozen=True, kw_only=True):
    """The member's issuer (PEM), without its key, and the bundle beside it, which `linkerd check` reads.

    `applied` is when we wrote the issuer last, `owner` which other tool holds it (empty: none).
    """

    certificate: str
    bundle: str
    resource_version: str
    applied: datetime | None
    owner: str


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """A live proxy. `roots` are the fingerprints in its pod's spec, None if it takes them from the mesh's bundle.

    `workload` is `Kind/namespace/name` of what a restart would replace it by, empty if there is nothing;
    `started` is when its container started, None while it hasn't.
    """

    namespace: str
    pod: str
    workload: str
    created: datetime
    started: datetime | None
    roots: frozenset[str] | None

    @property
    def id(self) -> str:
        return f"{self.namespace}/{self.pod}"


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """A Deployment, DaemonSet or StatefulSet.

    `fixed` says that a restart wouldn't help: its template holds a proxy with its roots, or its pods aren't replaced
    when the template changes. `restarted` is when a restart was last asked for.
    """

    kind: str
    namespace: str
    name: str
    resource_version: str
    rolling: bool
    fixed: bool
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
