"""What is logged of clusters' protection and of vaults."""

from collections.abc import Sequence

from shared.domain.signals import Signal, Warn


class OtherResourceWritten(Signal, frozen=True, kw_only=True, tag="another resource was written"):
    """An event tells of a resource that isn't a cluster."""

    level = "DEBUG"
    event_id: str


class ProtectionNotAskedFor(Signal, frozen=True, kw_only=True, tag="cluster asks for no protection"):
    """A cluster was written that neither its tags nor the policy protect."""

    event_id: str
    cluster: str


class ClusterLeftOut(Warn, frozen=True, kw_only=True, tag="cluster left out"):
    """The sweep can't protect a cluster and has gone on with the others."""

    cluster: str
    reason: str
    error: str


class VaultLeftOut(Warn, frozen=True, kw_only=True, tag="vault left out"):
    """The sweep can't look at a vault and has gone on with the others."""

    vault: str
    reason: str
    error: str


class ProtectionDrifted(Warn, frozen=True, kw_only=True, tag="a protection has drifted"):
    """A protected cluster isn't protected as planned any more; the changes put it right."""

    cluster: str
    changes: Sequence[str]


class RedundancyFellBack(Warn, frozen=True, kw_only=True, tag="redundancy falls back, as the policy document allows"):
    """The region doesn't offer the redundancy that the policy wants; the vault gets the policy's second choice."""

    vault: str
    redundancy: str
    error: str


class CensusTaken(Signal, frozen=True, kw_only=True, tag="census taken"):
    """The daily census has counted the clusters, and those with a working backup."""

    clusters: int
    protected: int


class ClustersUnprotected(Warn, frozen=True, kw_only=True, tag="clusters unprotected"):
    """The census has found so many clusters without a working backup."""

    clusters: int


class VaultKept(Signal, frozen=True, kw_only=True, tag="the vault of a cluster that is gone is kept"):
    """A cluster was deleted, and the time for which its vault is kept hasn't passed yet."""

    vault: str
    until: str


class VaultReleased(Warn, frozen=True, kw_only=True, tag="a vault was released"):
    """A vault whose cluster is gone was deleted, by these steps."""

    vault: str
    steps: Sequence[str]
