"""What Meshward relies on when workloads restart: rollouts, disruption budgets, pods without a workload."""

import pytest

from shared.adapters.kubernetes.kinds import DAEMON_SET, DEPLOYMENT, POD, STATEFUL_SET, Kind
from tests.worlds.api_objects import DISRUPTION_BUDGET, JOB, WORKLOADS, budget, pod
from tests.worlds.api_server import RESTARTED_AT, ClusterUnderTest, InItsOwnNamespace


class WorkloadsContract(InItsOwnNamespace):
    @pytest.mark.parametrize("kind", WORKLOADS, ids=lambda kind: kind.kind)
    async def test_a_restart_rolls_until_every_pod_is_new_and_ready(self, here: ClusterUnderTest, kind: Kind) -> None:
        await here.run(kind, "web")
        await here.apply(DISRUPTION_BUDGET, budget("web", minAvailable="100%"))  # only evictions heed it
        old = await here.pods("web")
        with here.paused():
            await here.restart("web")
            assert (await here.workload("web")).rolling
        await here.until(lambda: here.rolled_out("web"))
        assert (await here.workload("web")).restarted_at == RESTARTED_AT
        new = {uid: p for uid, p in (await here.pods("web")).items() if "deletionTimestamp" not in p["metadata"]}
        assert len(new) == len(old) == 3
        assert new.keys().isdisjoint(old)
        proxies = [p for p in await here.proxies() if p.pod in {p["metadata"]["name"] for p in new.values()}]
        assert {p.workload for p in proxies} == {f"{kind.kind}/{here.namespace}/web"}
        assert all(p.started_at and p.started_at >= p.created_at for p in proxies)

    async def test_an_eviction_is_refused_until_the_disruption_budget_can_spare_a_pod(
        self, here: ClusterUnderTest
    ) -> None:
        await here.run(DEPLOYMENT, "web")
        name = next(iter((await here.pods("web")).values()))["metadata"]["name"]
        await here.apply(DISRUPTION_BUDGET, budget("web", minAvailable="100%"))

        async def is_refused() -> bool:
            refused = await here.evict(name)
            assert (refused.status_code, refused.json()["reason"]) == (429, "TooManyRequests")
            (cause,) = refused.json()["details"]["causes"]
            needed = "The disruption budget web needs 3 healthy pods and has 3 currently"
            return (cause["reason"], cause["message"]) == ("DisruptionBudget", needed)

        await here.until(is_refused)  # once the budget's controller has seen it
        await here.apply(DISRUPTION_BUDGET, budget("web", maxUnavailable=1))
        await here.until(lambda: here.evicted(name))
        assert (await here.evict("absent")).status_code == 404

    @pytest.mark.parametrize("kind", [STATEFUL_SET, DAEMON_SET], ids=lambda kind: kind.kind)
    async def test_pods_of_an_on_delete_strategy_stay_until_they_are_deleted(
        self, here: ClusterUnderTest, kind: Kind
    ) -> None:
        assert (await here.run(kind, "db", updateStrategy={"type": "OnDelete"})).obstacle
        old = await here.pods("db")
        await here.restart("db")
        for _ in range(10):
            await here.wait()
        assert (await here.pods("db")).keys() == old.keys()
        assert (await here.workload("db")).rolling
        for each in old.values():
            await here.meshward.delete(POD, each["metadata"]["name"], here.namespace)
        await here.until(lambda: here.rolled_out("db"))

    async def test_pods_of_jobs_and_bare_pods_have_no_workload_to_restart(self, here: ClusterUnderTest) -> None:
        job = pod("job", restartPolicy="Never")
        await here.apply(JOB, {"metadata": {"name": "job"}, "spec": {"template": job}})
        bare = pod("bare")
        await here.apply(POD, {**bare, "metadata": {**bare["metadata"], "name": "bare"}})

        async def both_run() -> bool:
            return len([p for p in await here.proxies() if p.started_at]) == 2

        await here.until(both_run)
        assert [p.workload for p in await here.proxies()] == ["", ""]
