"""Whatever happens to any activity of a rotation, or of the renewal of issuers, neither proxies nor keys notice.

The activities are those that the flows know; each is struck once in each way, unless the way says otherwise.
"""

from types import ModuleType

import pytest

from functions.engine.activities import Activity
from functions.trust import members, rotation
from functions.trust.linkerd import issuers
from local.cloud.wire import InjectedFault, Reply
from local.host.process import Moment
from local.scenario import OLD_ROOT
from local.stage import RunningApp
from tests.worlds.issuers import SWEPT, half_lived
from tests.worlds.rotations import NEW_ROOT, announce, rotated, vault
from tests.worlds.small_mesh import SWIFT, small_mesh
from tests.worlds.times import HOUR

WRITE = r"^(PATCH|PUT|POST .*/(create|merge)$)"
GARBLED = Reply(content=b"<html>", headers={"Content-Type": "text/html"})


class Trouble:
    """Strikes each of these activities; `struck` are those that it has come to."""

    def __init__(self, stage: RunningApp, *flows: ModuleType) -> None:
        self.stage, self.struck = stage, set[str]()
        values = [value for flow in flows for value in vars(flow).values()]
        self.names = {one.name for one in values if isinstance(one, Activity)}

    def __call__(self, function: str, moment: Moment) -> bool:
        if function not in self.names or (moment == "before" and function in self.struck):
            return False
        if moment == "before":
            self.struck.add(function)
            self.before()
            return False
        return self.after()

    def before(self) -> None:
        """What happens as an activity is about to begin."""

    def after(self) -> bool:
        """Whether its answer is lost, once it has ended."""
        self.stage.world.wire.faults.clear()
        return False


class Unanswered(Trouble):
    """Nothing that it asks answers."""

    def before(self) -> None:
        self.stage.world.wire.inject(InjectedFault(on=".", kind="answer", times=1000, reply=Reply(status=500)))


class Broken(Trouble):
    """It fails on answers that it can't understand, as Azure would never give them."""

    def before(self) -> None:
        self.stage.world.wire.inject(InjectedFault(on=".", kind="answer", times=1000, reply=GARBLED))


class Killed(Trouble):
    """Its worker dies right after its first effect, or, if it has none, before it can answer."""

    def before(self) -> None:
        self.stage.world.wire.inject(InjectedFault(on=WRITE, kind="lose", then=self.stage.host.kill_worker))

    def after(self) -> bool:
        without_effect = any(fault.times for fault in self.stage.world.wire.faults)
        if without_effect:
            self.stage.host.kill_worker()
        super().after()
        return without_effect


class Twice(Trouble):
    """Its answer is lost each time, and it runs once more."""

    _lost = False

    def after(self) -> bool:
        self._lost = not self._lost
        return self._lost


KINDS = [Unanswered, Broken, Killed, Twice]


@pytest.mark.parametrize("kind", KINDS)
async def test_no_activity_of_a_rotation_can_fail_so_that_a_handshake_does(kind: type[Trouble]) -> None:
    async with small_mesh(left=SWIFT, traffic_every=20, judged=kind is not Broken) as stage:
        trouble = kind(stage, rotation, members)
        stage.host.on_invocation(trouble)
        announce(stage)
        await rotated(stage)
        assert trouble.struck == trouble.names
        assert vault(stage).certificates.keys() == {OLD_ROOT, NEW_ROOT}
        *drafts, root = vault(stage).certificate(NEW_ROOT).versions
        assert len(drafts) == (2 if kind is Killed else 1), "if the answer is lost, another key is asked for"
        assert (bool(root.tags), root.enabled) == (True, True)
        assert not any(draft.tags or draft.enabled for draft in drafts)
        assert len(issuers_written(stage)) == 1
        if kind is Broken:
            assert any("rotation on hold" in line and "AnswerUnreadable" in line for line in stage.log)


@pytest.mark.parametrize("kind", KINDS)
async def test_no_activity_of_the_renewal_of_issuers_can_fail_so_that_a_handshake_does(kind: type[Trouble]) -> None:
    async with small_mesh(seeded=half_lived, settings=SWEPT, traffic_every=60, judged=kind is not Broken) as stage:
        for pod in stage.world.kubernetes.clusters["aks-east"].objects("Pod", "linkerd"):
            stage.world.linkerd.miss_reload(pod)
        trouble = kind(stage, issuers)
        stage.host.on_invocation(trouble)
        await stage.clock.advance(5 * HOUR)
        assert trouble.struck == trouble.names
        assert len(issuers_written(stage)) == 1
        (plane,) = stage.world.linkerd.control_planes.values()
        assert all(i.issuer and i.issuer.not_after > stage.clock.time() + 40 * 3600 for i in plane.identities.values())
        assert not stage.world.linkerd.failed
        assert not stage.world.linkerd.violations


def issuers_written(stage: RunningApp) -> list[bytes]:
    """The requests that put another issuer in place."""
    sent = (e for e in stage.world.wire.exchanges if e.method == "PATCH" and "linkerd-identity-issuer" in e.url)
    return [e.request for e in sent if e.status < 400 and b"tls.key" in e.request]
