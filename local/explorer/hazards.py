"""What may befall a world while its root is rotated. Each is seldom: an exploration lets a few of them strike.

Rules:
- What an older backup restores was written by Meshward once, or before Meshward came: it passes as no drift.
- On the way forward a backup holds what was there before this rotation, or the bundle of both roots; on the way back it
  may hold an issuer of the new root, too.
- A hazard breaks what it breaks. A promise is about what the app does before and after it.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from local.explorer.cluster import BARE, CRON, WEB, ModelCluster, Pod, latest
from local.explorer.state import GONE, NAMES, RUNS, STOPPED, UNKNOWN, UNTAGGED, MemberState, State
from shared.domain.trust.phases import Mode, Phase

type Befalls = Callable[[ModelCluster, Phase, int], Iterator[tuple[str, ModelCluster]]]
type Happens = Callable[[State], Iterator[tuple[str, State]]]

_OLDER = 1  # a rank before all that the rotation does
_MOST = 3  # members


def issuer_put_back(cluster: ModelCluster, phase: Phase, now: int) -> Iterator[tuple[str, ModelCluster]]:
    """The issuer's Secret comes from a backup."""
    for letter in {"O", "N" if _way_back(phase) and cluster.issuer_at else "O"} - {cluster.issuer}:
        yield f"the issuer of the {letter} root is put back", _with_issuer(cluster, letter)


def bundle_put_back(cluster: ModelCluster, phase: Phase, now: int) -> Iterator[tuple[str, ModelCluster]]:
    """The bundle comes from a backup, and pods may be made before somebody notices."""
    for letters in {"O", "ON"} - {cluster.bundle} if cluster.bundle_at else ():
        back = cluster._replace(bundle=letters, bundle_at=_OLDER)
        yield f"the bundle {letters} is put back", back
        pods = tuple(pod._replace(roots=letters) if pod.kind == WEB else pod for pod in back.pods)
        yield f"the bundle {letters} is put back, and pods are made", back._replace(pods=pods)


def all_put_back(cluster: ModelCluster, phase: Phase, now: int) -> Iterator[tuple[str, ModelCluster]]:
    """The whole namespace of Linkerd comes from a backup that is older than Meshward."""
    if cluster.bundle_at:
        back = cluster._replace(bundle="O", bundle_at=0, issuer="O", issuer_at=0, beside="O", marked=False)
        yield "bundle and issuer are put back as they were before Meshward", back


def pod_made_late(cluster: ModelCluster, phase: Phase, now: int) -> Iterator[tuple[str, ModelCluster]]:
    """An injector that hasn't seen the new bundle yet makes a pod."""
    stale = {"ON": "O", "N": "ON", "O": "ON" if _way_back(phase) else "O"}[cluster.bundle]
    leaf = cluster.using
    pods = tuple(Pod(WEB, stale, now, leaf, now) if pod.kind == WEB else pod for pod in cluster.pods)
    if stale != cluster.bundle:
        yield f"web is made again, by an injector that still has the bundle {stale}", cluster._replace(pods=pods)


def reload_missed(cluster: ModelCluster, phase: Phase, now: int) -> Iterator[tuple[str, ModelCluster]]:
    """linkerd-identity's watcher misses what is written."""
    if not cluster.deaf:
        yield "linkerd-identity stops to watch its issuer", cluster._replace(deaf=True)


def bare_pod_made(cluster: ModelCluster, phase: Phase, now: int) -> Iterator[tuple[str, ModelCluster]]:
    """Somebody runs a pod that no restart replaces, until they delete it."""
    if all(pod.kind != BARE for pod in cluster.pods):
        pod = Pod(BARE, cluster.bundle, now, cluster.using, now)
        yield "somebody runs a bare pod", cluster._replace(pods=(*cluster.pods, pod))


def cron_pod_made(cluster: ModelCluster, phase: Phase, now: int) -> Iterator[tuple[str, ModelCluster]]:
    """A CronJob makes pod after pod whose image is missing, so that none of their proxies ever starts."""
    if all(pod.kind != CRON for pod in cluster.pods):
        pod = Pod(CRON, cluster.bundle, now, "", 0, started=False)
        yield "a CronJob begins to make pods that never start", cluster._replace(pods=(*cluster.pods, pod))


def restarted_ahead(cluster: ModelCluster, phase: Phase, now: int) -> Iterator[tuple[str, ModelCluster]]:
    """Somebody whose clock is ahead restarts web."""
    if not cluster.ahead:
        yield "web is restarted by a clock that is days ahead", cluster._replace(ahead=True)


def member_lost(state: State) -> Iterator[tuple[str, State]]:
    """A member can't take part: for a while, or never again."""
    for n, one in enumerate(state.members):
        for there in (STOPPED, UNTAGGED, UNKNOWN, GONE):
            if one.there == RUNS and (there != GONE or len(state.members) > 1):  # without members it ends for nobody
                yield f"{NAMES[n]} {there}", _with(state, n, one._replace(there=there, struck=1))


def member_made_again(state: State) -> Iterator[tuple[str, State]]:
    """A cluster is deleted, and another one is made under its name, with the old root or with what its team has."""
    for n, one in enumerate(state.members):
        fresh = MemberState(proven=one.proven, activated=one.activated, out=one.out, another_life=True, struck=1)
        yield f"{NAMES[n]} is made again under its name", _with(state, n, fresh)


def member_joins(state: State) -> Iterator[tuple[str, State]]:
    """A cluster joins with the bundle and issuer of the old root."""
    if len(state.members) < _MOST:
        yield "a cluster joins with the old root", state._replace(members=(*state.members, MemberState(struck=1)))


def run_lost(state: State) -> Iterator[tuple[str, State]]:
    """The instance is lost, and the sweep starts the rotation again: the store remembers the members alone."""
    anew = (one._replace(proven="", activated=0, asked=bool(one.out)) for one in state.members)
    yield (
        "the run is lost, and started again",
        State(
            members=tuple(anew),
            mode=Mode.REPLACE if state.expired else Mode.ROUTINE,
            root_exists=state.root_exists,
            enabled=state.enabled,
            expired=state.expired,
            short=state.short,
        ),
    )


def new_root_disabled(state: State) -> Iterator[tuple[str, State]]:
    """Somebody disables the new root in Key Vault."""
    if state.root_exists and state.enabled[1]:
        yield "somebody disables the new root", state._replace(enabled=(state.enabled[0], False))


def old_root_ends_soon(state: State) -> Iterator[tuple[str, State]]:
    """Time passes until the old root is about to expire."""
    if not (state.short or state.expired):
        yield "the old root is about to expire", state._replace(short=True)


def joins_with_new_root_alone(state: State) -> Iterator[tuple[str, State]]:
    """A cluster joins a way back with the bundle and issuer of the new root alone; before that it isn't fit."""
    if len(state.members) < _MOST and _way_back(state.phase):
        kinds = [pod._replace(roots="N", leaf="N") for pod in ModelCluster().pods]
        cluster = ModelCluster(bundle="N", issuer="N", beside="N", using="N", pods=tuple(kinds))
        joined = MemberState(cluster=cluster, struck=1)
        yield "a cluster joins with the new root alone", state._replace(members=(*state.members, joined))


class Hazards(NamedTuple):
    """Which hazards a world has."""

    befall: tuple[Befalls, ...]  # a cluster, at any moment (rank)
    happen: tuple[Happens, ...]  # between two rounds


ALL = Hazards(
    (
        issuer_put_back,
        bundle_put_back,
        all_put_back,
        pod_made_late,
        reload_missed,
        bare_pod_made,
        cron_pod_made,
        restarted_ahead,
    ),
    (
        member_lost,
        member_made_again,
        member_joins,
        joins_with_new_root_alone,
        new_root_disabled,
        old_root_ends_soon,
    ),
)
NONE = Hazards((), ())


def befallen(state: State, hazards: Hazards) -> Iterator[tuple[str, State]]:
    """What befalls some cluster between two rounds."""
    for n, one in enumerate(state.members):
        now = latest(one.cluster, one.activated) + 1
        for befalls in hazards.befall if one.there != GONE else ():
            for words, after in befalls(one.cluster, state.phase, now):
                yield f"{NAMES[n]}: {words}", _with(state, n, one._replace(cluster=after, struck=1))


def mended(state: State) -> State | None:
    """The state once the world has got better; None: nothing is wrong with it."""
    members = tuple(_mended(one) for one in state.members)
    enabled = (state.enabled[0], state.enabled[1] or not _given_up(state))
    better = state._replace(members=members, enabled=enabled)
    return None if better == state else better.canonical()


def _given_up(state: State) -> bool:
    return state.phase == Phase.ABORTED


def _mended(one: MemberState) -> MemberState:
    pods = tuple(pod for pod in one.cluster.pods if pod.kind != BARE)
    there = one.there if one.there == GONE else RUNS
    return one._replace(there=there, cluster=one.cluster._replace(pods=pods))


def _with(state: State, place: int, one: MemberState) -> State:
    return state._replace(members=(*state.members[:place], one, *state.members[place + 1 :]))


def _with_issuer(cluster: ModelCluster, letter: str) -> ModelCluster:
    return cluster._replace(issuer=letter, issuer_at=_OLDER)


def _way_back(phase: Phase) -> bool:
    return phase in {Phase.REISSUE, Phase.RESETTLE, Phase.WITHDRAW}
