"""Rotations in worlds that nobody has thought of: whatever goes wrong and when, no pair that may talk is parted."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import cycle

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.resources.aks import cluster_id
from local.cloud.wire import InjectedFault, Reply
from local.host.durable import OrchestrationState
from local.scenario import OLD_ROOT
from local.stage import RunningApp
from tests.worlds.rotations import RUN, announce
from tests.worlds.small_mesh import ROUTINE, SWIFT, join_at, small_mesh

PHASES = ("prepare", "distribute", "activate", "settle", "retire")
LONGEST = timedelta(days=7)  # all mishaps are over in hours, and so are holds

type Mishap = Callable[[RunningApp, int], None]


def slow(stage: RunningApp, much: int) -> None:
    """The kubelets take up to ten minutes to bring a change to pods."""
    east(stage).mount_seconds = 60.0 * much


def stuck(stage: RunningApp, much: int) -> None:
    """A Deployment doesn't roll out for an hour or two."""

    def pause(paused: bool) -> None:
        found = east(stage).get("Deployment", "shop", "web")
        east(stage).update({**found, "spec": {**found["spec"], "paused": paused}})

    pause(True)
    stage.clock.after(900.0 * much, lambda: pause(False))


def missed(stage: RunningApp, much: int) -> None:
    """Some replicas of the identity controller miss the next change of their issuer."""
    for pod in east(stage).objects("Pod", "linkerd")[:much]:
        stage.world.linkerd.miss_reload(pod)


def refused(stage: RunningApp, much: int) -> None:
    """The cluster's API answers with errors."""
    stage.world.wire.inject(InjectedFault(on="/k8s/", kind="answer", times=7 * much, reply=Reply(status=500)))


def lost(stage: RunningApp, much: int) -> None:
    """Changes are made, and their answers lost."""
    stage.world.wire.inject(InjectedFault(on="PATCH|POST .*/(create|merge)$", kind="lose", times=much))


def respelled(stage: RunningApp, much: int) -> None:
    """From now on, the ids of clusters come in another case from time to time."""
    spellings: Iterator[Callable[[str], str]] = cycle([str, *[str.upper] * much, str.lower])
    stage.world.aks.spell = lambda id: next(spellings)(id)  # noqa: PLW0108  # each id in the next one


def retagged(stage: RunningApp, much: int) -> None:
    """Somebody writes the cluster's tags anew, in another case and with blanks around them."""
    cluster = stage.world.arm.resources[cluster_id("aks-east").lower()]
    written = cluster["tags"].items()
    cluster["tags"] = {name.title(): f"{' ' * (much % 2)}{value.upper()} " for name, value in written}


def east(stage: RunningApp) -> SimulatedCluster:
    return stage.world.kubernetes.clusters["aks-east"]


def meet(stage: RunningApp, phase: str, mishap: Mishap, much: int) -> None:
    """Let it happen as the rotation enters the phase."""
    met: list[str] = []

    def enter(instance: OrchestrationState) -> None:
        if instance.id == RUN and (instance.custom_status or {}).get("phase") == phase and not met:
            met.append(phase)
            mishap(stage, much)

    stage.host.on_change(enter)


mishaps = st.lists(
    st.tuples(
        st.sampled_from(PHASES),
        st.sampled_from([slow, stuck, missed, refused, lost, respelled, retagged]),
        st.integers(1, 10),
    ),
    min_size=1,
    max_size=4,
)


@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example],
)
@given(mishaps=mishaps, swift=st.booleans(), joins=st.sampled_from([None, *PHASES]))
async def test_whatever_goes_wrong_no_pair_is_ever_parted_and_the_rotation_ends(
    mishaps: list[tuple[str, Mishap, int]], swift: bool, joins: str | None
) -> None:
    async with small_mesh(left=SWIFT if swift else ROUTINE) as stage:
        for phase, mishap, much in mishaps:
            meet(stage, phase, mishap, much)
        if joins:
            join_at(stage, joins, signer=OLD_ROOT)
        announce(stage)
        await stage.run(RUN, LONGEST)
        assert not stage.world.linkerd.violations
        assert not stage.world.linkerd.failed
        run = stage.host.instance(RUN)
        assert run is not None
        assert run.output["outcome"] == "rotated"
