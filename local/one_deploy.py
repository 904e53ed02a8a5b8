"""The SCM sites of function apps on Flex Consumption: One Deploy, and the status of the last deployment.

Rules (azure-cli's poller, whose source reads them so):
- `latest` is the former deployment, or 404, until the new one is visible; then 202 while it is under way.
- It ends with status 4 (success), -1 (cancelled), 3 (failed), 5 (replaced by another) or 6 (succeeded in part); or the
  site restarts with the new package and has no record of a deployment any more: 404 after a 202 is success.
- The site puts the package into the app's container by the app's identity: an upload is refused while that has no role
  there which lets it write. (Users report this refusal with various statuses.)
"""

from typing import TYPE_CHECKING

from local.cloud.arm import error
from local.cloud.wire import CloudRequest, Reply, Route

if TYPE_CHECKING:
    from local.cloud.world import World

VISIBLE_SECONDS, DONE_SECONDS = 15.0, 45.0
GONE = 404
WRITERS = (
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",  # Storage Blob Data Owner
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe",  # Storage Blob Data Contributor
)


class OneDeploy:
    """`uploads` has each accepted upload's query. `ends` is how the next deployments end: a status, or GONE."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.uploads: list[dict[str, str]] = []
        self.ends = 4
        self._ended: dict[str, list[tuple[float, int]]] = {}
        self.routes = [
            Route("POST", "/scm/{site}/api/publish", self._publish),
            Route("GET", "/scm/{site}/api/deployments/latest", self._latest),
        ]

    def _publish(self, call: CloudRequest) -> Reply:
        if not self._may_write(call.params["site"]):
            text = "Failed to access the storage account for deployment: This request is not authorized."
            return error(403, "InaccessibleStorageException", text)
        self.uploads.append(call.query)
        ended = self._ended.setdefault(call.params["site"], [])
        ended.append((self._world.clock.time(), self.ends))
        return Reply(status=202, body=str(len(ended)))

    def _may_write(self, site: str) -> bool:
        """Whether the identity that the app stores its code by may write to the container that it stores it in."""
        arm = self._world.arm
        (app,) = (each for each in arm.of_type("Microsoft.Web/sites") if each["name"] == site)
        storage = app["properties"]["functionAppConfig"]["deployment"]["storage"]
        account, container = (
            storage["value"].removeprefix("https://").partition(".")[0],
            storage["value"].split("/")[-1],
        )
        accounts = arm.of_type("Microsoft.Storage/storageAccounts")
        scopes = [f"{a['id']}/blobServices/default/containers/{container}" for a in accounts if a["name"] == account]
        identity = arm.find(storage["authentication"]["userAssignedIdentityResourceId"]) or {"properties": {}}
        principal = identity["properties"].get("principalId", "")
        return any(self._world.roles.effective(principal, role, scope) for role in WRITERS for scope in scopes)

    def _latest(self, call: CloudRequest) -> Reply:
        now = self._world.clock.time()
        visible = [each for each in self._ended.get(call.params["site"], []) if now >= each[0] + VISIBLE_SECONDS]
        if not visible:
            return error(404, "NotFound", "There is no deployment.")
        at, ends = visible[-1]
        if now < at + DONE_SECONDS:
            return Reply(status=202, body={"id": str(len(visible)), "status": 1, "complete": False})
        if ends == GONE:
            return error(404, "NotFound", "There is no deployment.")
        return Reply(body={"id": str(len(visible)), "status": ends, "complete": True})
