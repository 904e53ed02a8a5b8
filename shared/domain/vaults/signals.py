"""What is logged of clusters' protection and of vaults."""

from collections.abc import Sequence

from shared.domain.signals import Failure, Signal, Warn


class OtherResourceWritten(Signal, frozen=True, kw_only=True, tag="another resource was written"):
    """An event is about a resource that isn't a cluster."""

    level = "DEBUG"
    event_id: str


class ProtectionNotAskedFor(Signal, frozen=True, kw_only=True, tag="cluster asks for no protection"):
    """A cluster was created or changed. Neither its tags nor the policy document ask for protection."""

    event_id: str
    cluster: str


class ClusterLeftOut(Failure, frozen=True, kw_only=True, tag="cluster left out"):
    """The sweep can't protect a cluster. It continues with the others."""

    cluster: str


class VaultLeftOut(Failure, frozen=True, kw_only=True, tag="vault left out"):
    """The sweep can't read a vault, or leaves its release to people. It continues with the others."""

    vault: str


class ProtectionDrifted(Warn, frozen=True, kw_only=True, tag="a protection has drifted"):
    """Somebody has changed the protection of a cluster. `changes` restore it."""

    cluster: str
    changes: Sequence[str]


class SourceRefused(Warn, frozen=True, kw_only=True, tag="data source refused"):
    """A cluster names a file share or machine that can't be backed up, or whose owner doesn't agree. `why` has what its
    owner can do."""

    cluster: str
    why: str


class RedundancyFellBack(Warn, frozen=True, kw_only=True, tag="redundancy falls back, as the policy document allows"):
    """The region doesn't offer the knob `redundancy`. The vault gets `redundancy_fallback`."""

    vault: str
    redundancy: str
    error: str


class CensusTaken(Signal, frozen=True, kw_only=True, tag="census taken"):
    """The daily census has counted all clusters, and those with a working backup."""

    clusters: int
    protected: int


class ClustersUnprotected(Warn, frozen=True, kw_only=True, tag="clusters unprotected"):
    """The census has found clusters without a working backup. `clusters` is their number."""

    clusters: int


class ClustersLeftOut(Warn, frozen=True, kw_only=True, tag="clusters left out"):
    """Some clusters were left out of the rotation of their trust root and haven't caught up."""

    clusters: Sequence[str]  # resource ids


class ConsentsMissing(Warn, frozen=True, kw_only=True, tag="backups without consent"):
    """The census has found shares or machines that are backed up, and whose owners don't agree (any more). They stay
    protected."""

    volumes: Sequence[str]  # the cluster's resource id and the label of each


class VaultKept(Signal, frozen=True, kw_only=True, tag="the vault of a cluster that is gone is kept"):
    """A cluster was deleted. Its vault is kept until `until`."""

    vault: str
    until: str


class VaultReleased(Warn, frozen=True, kw_only=True, tag="a vault was released"):
    """The vault of a deleted cluster was released, by `steps`."""

    vault: str
    steps: Sequence[str]
