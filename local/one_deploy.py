"""The SCM site of a function app on Flex Consumption: One Deploy, and the status of the last deployment.

Rules (azure-cli's poller, whose source reads them so):
- `latest` is the former deployment, or 404, until the new one is visible; then 202 while it is under way.
- It ends with status 4 (success), -1 (cancelled), 3 (failed), 5 (replaced by another) or 6 (succeeded in part); or the
  site restarts with the new package and has no record of a deployment any more: 404 after a 202 is success.
"""

from local.cloud.arm import error
from local.cloud.clock import Clock
from local.cloud.wire import CloudRequest, Reply, Route

VISIBLE_SECONDS, DONE_SECONDS = 15.0, 45.0
GONE = 404


class OneDeploy:
    """`uploads` has each upload's query. `ends` is how the next deployments end: a status, or GONE."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.uploads: list[dict[str, str]] = []
        self.ends = 4
        self._ended: list[tuple[float, int]] = []
        self.routes = [
            Route("POST", "/scm/api/publish", self._publish),
            Route("GET", "/scm/api/deployments/latest", self._latest),
        ]

    def _publish(self, call: CloudRequest) -> Reply:
        self.uploads.append(call.query)
        self._ended.append((self._clock.time(), self.ends))
        return Reply(status=202, body=str(len(self.uploads)))

    def _latest(self, _: CloudRequest) -> Reply:
        now = self._clock.time()
        visible = [(at, ends) for at, ends in self._ended if now >= at + VISIBLE_SECONDS]
        if not visible:
            return error(404, "NotFound", "There is no deployment.")
        at, ends = visible[-1]
        if now < at + DONE_SECONDS:
            return Reply(status=202, body={"id": str(len(visible)), "status": 1, "complete": False})
        if ends == GONE:
            return error(404, "NotFound", "There is no deployment.")
        return Reply(body={"id": str(len(visible)), "status": ends, "complete": True})
