"""What is logged of trust roots and issuers."""

from collections.abc import Sequence

from shared.domain.signals import Failure, Signal, Warn


class RootLookedAt(Signal, frozen=True, kw_only=True, tag="root looked at"):
    """The sweep has read a current trust root. `days_left` are the days until it expires."""

    certificate: str
    days_left: int


class RootAdmitted(Signal, frozen=True, kw_only=True, tag="root admitted"):
    """An operator has admitted the first root of a trust domain. `by` is the object id in Entra."""

    certificate: str  # its name in Key Vault
    trust_domain: str  # whose root it is
    fingerprint: str  # SHA-256
    by: str  # object id in Entra
    why: str  # in the operator's words


class RootRefused(Failure, frozen=True, kw_only=True, tag="root refused"):
    """A certificate is tagged as a trust root and doesn't count: it wasn't admitted yet, or somebody else made it."""

    certificate: str
    trust_domain: str


class NoRootSigns(Warn, frozen=True, kw_only=True, tag="no root signs"):
    """A trust domain has members, and none of its roots is enabled: its issuers can't be renewed."""

    trust_domain: str  # whose roots they are
    members: int  # clusters
    why: str  # which certificates there are, for people


class NothingToRotate(Signal, frozen=True, kw_only=True, tag="nothing to rotate"):
    """An expiry event names a root that was already rotated."""

    event_id: str
    reason: str
    why: str


class RotationNotStarted(Failure, frozen=True, kw_only=True, tag="rotation not started"):
    """A root is due for rotation, but only an operator can start it."""


class CommandNotActedOn(Warn, frozen=True, kw_only=True, tag="word not acted on"):
    """An operator's command can't act, because the rotation has reached another phase since."""

    trust_domain: str  # that is rotated
    generation: int  # of the new root
    word: str  # the command
    reason: str  # why it can't act
    why: str  # the same, for people


class PhaseProven(Signal, frozen=True, kw_only=True, tag="phase proven"):
    """A rotation goes from one phase to the next. The gate saw `seen` proxies or replicas of the identity service."""

    trust_domain: str  # that is rotated
    generation: int  # of the new root
    phase: str  # that is proven
    next: str  # the phase that begins
    seen: int  # proxies or replicas


class RotationOnHold(Warn, frozen=True, kw_only=True, tag="rotation on hold"):
    """A rotation is on hold, or still is: both roots stay trusted. It is logged more often as the expiry nears."""

    trust_domain: str  # that is rotated
    generation: int  # of the new root
    phase: str  # in which it stays
    reason: str  # why it is on hold
    why: str  # the same, for people
    blockers: Sequence[str]  # `cluster/namespace/pod`
    time_left: str  # until the old root expires; empty: nothing depends on it


class RootInDanger(RotationOnHold, frozen=True, kw_only=True, tag="rotation on hold near expiry"):
    """A rotation is on hold while no more than a sixth of the old root's life is left. Proxies fail when it expires."""


class MemberBeginsAgain(Warn, frozen=True, kw_only=True, tag="member begins again"):
    """Proofs of a member don't count any more: another cluster has its id, or something that it proved has changed."""

    trust_domain: str  # that is rotated
    generation: int  # of the new root
    cluster: str  # resource id
    phase: str  # of the rotation
    reason: str  # why its proofs don't count
    why: str  # the same, for people


class MemberExcluded(Warn, frozen=True, kw_only=True, tag="member left out"):
    """An operator has left a member out of a rotation."""

    rotation: str  # instance id
    cluster: str  # resource id
    plan: str  # hash of the plan that was seen
    why: str  # the operator's words
    breaks: str  # what the plan said


class RotationEnded(Signal, frozen=True, kw_only=True, tag="rotation ended"):
    """A rotation has ended. The outcome is `rotated` or `aborted`."""

    trust_domain: str
    outcome: str


class GateJudged(Signal, frozen=True, kw_only=True, tag="gate judged"):
    """A gate has judged a cluster. The reason is `Proven` if the cluster passes."""

    cluster: str  # resource id
    phase: str  # whose gate it is
    reason: str  # why the cluster doesn't pass; `Proven` if it does
    seen: int  # proxies or replicas
    blockers: Sequence[str]  # `cluster/namespace/pod`


class WorkloadRestarted(Signal, frozen=True, kw_only=True, tag="restarted"):
    """A workload was restarted, so that its proxies read the bundle or get a leaf certificate of the phase."""

    cluster: str
    workload: str
    phase: str


class ReloadMissed(Warn, frozen=True, kw_only=True, tag="restarted for a missed reload"):
    """Replicas of the identity service hadn't loaded the new issuer, so they were restarted."""

    cluster: str
    pods: Sequence[str]


class ClusterNotAdmitted(Warn, frozen=True, kw_only=True, tag="cluster not admitted"):
    """A cluster's tag claims a trust domain that doesn't list it in the policy document. It isn't contacted: it gets no
    issuer and no new root. `why` has the line that would admit it."""

    cluster: str
    trust_domain: str
    why: str


class IssuerLookedAt(Signal, frozen=True, kw_only=True, tag="issuer looked at"):
    """The hourly sweep has looked after a member's issuer. A member that can't be asked has the hours that were seen
    last, less those since."""

    cluster: str  # resource id
    hours_left: int  # until it expires


class IssuerNotRenewed(Failure, frozen=True, kw_only=True, tag="issuer not renewed"):
    """A member's issuer couldn't be renewed in this hour, or isn't proven to be used. The next hour tries again."""

    cluster: str  # resource id
    hours_left: float | None  # until it expires; none: it was never seen


class IssuerInDanger(IssuerNotRenewed, frozen=True, kw_only=True, tag="issuer about to expire"):
    """The same, while no more than a quarter of the issuer's life is left. When it expires, the mesh fails."""


class IssuerRenewed(Signal, frozen=True, kw_only=True, tag="issuer renewed"):
    """A cluster has a new issuer, signed by `root`."""

    cluster: str
    root: str
