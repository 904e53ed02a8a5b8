"""A state of the small world that is explored: where the rotation stands, its members, their clusters, the vault.

States are equal where nothing that follows differs: members have no names, moments are ranks.
"""

from collections.abc import Collection, Mapping
from datetime import timedelta
from functools import cache
from typing import NamedTuple

from local.explorer.cluster import ModelCluster, in_order
from local.explorer.mesh import at, rank_of
from local.explorer.roots import ROTATION, WorldCertificates
from local.explorer.world import FLEET_NOW, GROUP
from shared.domain import cluster as azure
from shared.domain.incarnation import Incarnation
from shared.domain.trust.membership import Exclusion, MemberProgress, left_out
from shared.domain.trust.moves import RotationEvent
from shared.domain.trust.phases import Mode, Phase
from shared.domain.trust.state import RotationState, Validity

NAMES = ("aks-1", "aks-2", "aks-3", "aks-4")
RUNS, STOPPED, UNTAGGED, UNKNOWN, GONE = (
    "runs",
    "is stopped",
    "has lost its tags",
    "can't be found or missed",
    "is deleted",
)
_LONG, _BRIEF = timedelta(days=300), timedelta(minutes=15)
_LIVES = {another: Incarnation(principal=f"life-{1 + another}") for another in (False, True)}
_TAGS = {azure.MESH_TAG: "linkerd", azure.TRUST_DOMAIN_TAG: ROTATION.trust_domain}


class MemberState(NamedTuple):
    """A member: what the rotation knows of it, and how it is."""

    proven: str = ""  # the last phase that it has proven
    activated: int = 0  # rank
    out: str = ""  # the phase in which it was left out
    asked: bool = False  # whether the exclusion is in the store alone so far
    another_life: bool = False  # whether it was made again since the rotation has seen it
    there: str = RUNS
    struck: int = 0  # since it has proven something: 1: something has befallen it; 2: and others have worked since
    cluster: ModelCluster = ModelCluster()

    def in_order(self) -> "MemberState":
        cluster, activated = in_order(self.cluster, self.activated)
        return self._replace(cluster=cluster, activated=activated)


class State(NamedTuple):
    """A state between two rounds."""

    members: tuple[MemberState, ...]
    phase: Phase = Phase.PREPARE
    mode: Mode = Mode.ROUTINE
    made: bool = False  # whether the rotation knows the new root
    root_exists: bool = False
    together: bool = False
    commands: tuple[RotationEvent, ...] = ()  # that wait for the next round
    enabled: tuple[bool, bool] = (True, True)  # whether the keys of the old root and the new one can sign
    expired: bool = False  # whether the old root has expired
    short: bool = False  # whether the old root expires before a way back could end

    def canonical(self) -> "State":
        return self._replace(members=tuple(sorted(one.in_order() for one in self.members)))

    def rotation(self, known: WorldCertificates) -> RotationState:
        """As the app has it, with members named in their order here."""
        left = _BRIEF if self.short else _LONG
        return RotationState(
            rotation=ROTATION,
            mode=self.mode,
            phase=self.phase,
            rounds=1,
            started_at=FLEET_NOW,
            phase_started_at=FLEET_NOW,
            roots=known.fingerprints if self.made else None,
            old_root=Validity(starts_at=FLEET_NOW - _LONG, expires_at=FLEET_NOW + left),
            members={id_of(n): _progress(one) for n, one in enumerate(self.members)},
            excluded={id_of(n): _exclusion(one) for n, one in enumerate(self.members) if one.out and not one.asked},
            proven_together=self.together,
            commands=list(self.commands),
        )

    def exclusions(self) -> dict[str, Exclusion]:
        """Whom the store says to be left out."""
        return {id_of(n): _exclusion(one) for n, one in enumerate(self.members) if one.out}

    def clusters(self) -> list[azure.Cluster]:
        """The clusters that are there."""
        return [
            _azure_cluster(n, one.there, one.another_life) for n, one in enumerate(self.members) if one.there != GONE
        ]

    def unknown(self) -> frozenset[str]:
        """The ids of those of which nobody knows whether they are there."""
        return frozenset(id_of(n) for n, one in enumerate(self.members) if one.there == UNKNOWN)

    def after(
        self,
        rotation: RotationState,
        now: Mapping[str, ModelCluster],
        *,
        anew: Collection[str] = (),
        struck: Collection[str] = (),
        worked: bool = False,
        left_out_now: int | None = None,
    ) -> "State":
        """The state that follows, by what the app has and how the clusters are now.

        `anew`: who has proven something; `struck`: whom something has befallen; and who is left out from now on.
        """
        out = left_out(rotation.excluded)
        members = []
        for n, one in enumerate(self.members):
            progress = rotation.members.get(id_of(n))
            if progress is None:
                continue  # it is gone
            activated = rank_of(progress.activated_at) if progress.activated_at else 0
            again = progress.incarnation.another(_LIVES[one.another_life])
            members.append(
                MemberState(
                    proven=progress.proven or "",
                    activated=activated,
                    out=self.phase if n == left_out_now else one.out if id_of(n) in out or one.asked else "",
                    asked=n == left_out_now,
                    another_life=again,
                    there=one.there,
                    struck=_struck(one, id_of(n) in struck, id_of(n) in anew, worked, self.phase != rotation.phase),
                    cluster=now.get(id_of(n), one.cluster),
                )
            )
        return self._replace(
            members=tuple(members),
            phase=rotation.phase,
            mode=rotation.mode,
            made=rotation.roots is not None,
            together=rotation.proven_together,
            commands=tuple(rotation.commands),
        ).canonical()


def _struck(one: MemberState, now: bool, anew: bool, worked: bool, moved: bool) -> int:
    """A gate vouches for what others have had the time to look at."""
    if now or anew:
        return int(now)
    found = 2 if one.struck and worked else one.struck
    return 0 if moved and found == 2 else found


def id_of(place: int) -> str:
    """The resource id of the member in this place."""
    return f"{GROUP}/providers/{azure.CLUSTERS}/{NAMES[place]}"


def _progress(one: MemberState) -> MemberProgress:
    activated_at = at(one.activated) if one.activated else None
    return MemberProgress(
        incarnation=_LIVES[False], proven=Phase(one.proven) if one.proven else None, activated_at=activated_at
    )


def _exclusion(one: MemberState) -> Exclusion:
    return Exclusion(reason="why", plan="hash", at=FLEET_NOW, phase=Phase(one.out))


@cache
def _azure_cluster(place: int, there: str, another_life: bool) -> azure.Cluster:
    return azure.Cluster(
        id=id_of(place),
        name=NAMES[place],
        resource_group="rg",
        subscription_id=GROUP.split("/")[2],
        location="westeurope",
        tags={} if there == UNTAGGED else _TAGS,
        power_state="Stopped" if there == STOPPED else "Running",
        incarnation=_LIVES[another_life],
    )
