"""CronJobs: a Job at the start of each minute, hour or so; the last three that have ended are kept.

Of schedules it reads the minutes alone: `* * * * *` and `*/5 * * * *`.
"""

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.controllers.pods import owner_reference
from local.cloud.kubernetes.objects import Object

_KEPT, _MINUTE = 3, 60


def reconcile(cluster: SimulatedCluster, cron_job: Object) -> float | None:
    every = _minutes(cron_job["spec"]["schedule"]) * _MINUTE
    number, into = divmod(int(cluster.clock.time()), every)
    name = f"{cron_job['metadata']['name']}-{number}"
    namespace = cron_job["metadata"]["namespace"]
    if into < _MINUTE and not cluster.find("Job", namespace, name):  # one that was missed isn't made up for
        cluster.create(_job(cron_job, name))
    ended = [job for job in cluster.owned(cron_job, "Job") if job.get("status", {}).get("conditions")]
    for job in ended[:-_KEPT]:
        cluster.delete("Job", namespace, job["metadata"]["name"])
    return float(every - into)


def _minutes(schedule: str) -> int:
    return int(schedule.split(maxsplit=1)[0].removeprefix("*/").replace("*", "1"))


def _job(cron_job: Object, name: str) -> Object:
    namespace, owners = cron_job["metadata"]["namespace"], [owner_reference(cron_job)]
    meta = {"name": name, "namespace": namespace, "ownerReferences": owners}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": cron_job["spec"]["jobTemplate"]["spec"]}
