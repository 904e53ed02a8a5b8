"""What is logged of trust roots and issuers."""

from collections.abc import Sequence

from shared.domain.signals import Failure, Signal, Warn


class RootLookedAt(Signal, frozen=True, kw_only=True, tag="root looked at"):
    """The sweep has read a current trust root. `days_left` are the days until it expires."""

    certificate: str
    days_left: int


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
    """A rotation is on hold. Both roots stay trusted. Blockers are `cluster/namespace/pod`."""

    trust_domain: str  # that is rotated
    generation: int  # of the new root
    phase: str  # in which it stays
    reason: str  # why it is on hold
    why: str  # the same, for people
    blockers: Sequence[str]  # `cluster/namespace/pod`


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


class IssuerRenewed(Signal, frozen=True, kw_only=True, tag="issuer renewed"):
    """A cluster has a new issuer, signed by `root`."""

    cluster: str
    root: str
