"""The routes of the HTTP API: what each takes and does. `api` serves them; README and docs/api.md follow.

A query or body is a struct; a docstring below each field says what it means. Of a body, unknown fields are refused; of
a query they are ignored.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared.domain.resource_id import is_name

type Text = Annotated[str, Meta(min_length=1)]


class Nothing(msgspec.Struct, frozen=True):
    """No query, or no body: what is sent isn't read."""


@dataclass(frozen=True)
class ApiRoute[Q = Nothing, B = Nothing]:
    """What a call takes and does."""

    method: Literal["GET", "POST"]  # a POST starts a flow, or raises an event at it
    path: str  # after /api/
    does: str  # for README and docs/api.md
    query: type[Q] = Nothing  # type: ignore[assignment]  # the default of Q, as below of B
    body: type[B] = Nothing  # type: ignore[assignment]


class ModeQuery(msgspec.Struct, frozen=True, kw_only=True):
    """In which mode to rotate."""

    mode: str = ""
    """`compromise` if the root's key may have leaked, `replace` if the root has expired. Default: what is due."""


class ClusterQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Of which cluster."""

    cluster_id: Annotated[str, Meta(extra={"unset": "required"})] = ""
    """Resource id of a managed cluster; for a release, of a deleted one."""


class RestoresQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Of what, and of how long."""

    source_id: str = ""
    """Resource id of a cluster or storage account. Default: all."""
    days: Annotated[int, Meta(ge=1, le=400)] = 90
    """How many days to look back."""


class RotationBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which root to rotate; other than as it is due only by a plan."""

    certificate: Text
    """Name of a trust root's certificate in the key vault."""
    mode: Text = ""
    """`compromise` if the root's key may have leaked, `replace` if the root has expired. Default: what is due."""
    plan: Text = ""
    """Hash of a plan. If the plan has changed since, the call is refused with 409. Required with `mode`."""

    def __post_init__(self) -> None:
        if self.mode and not self.plan:
            raise ValueError("plan: it is missing, and goes together with mode")


class ProtectionBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which cluster to protect."""

    cluster_id: Text
    """Resource id of a managed cluster; for a release, of a deleted one."""
    plan: Text = ""
    """Hash of a plan. If the plan has changed since, the call is refused with 409."""


class ReleaseBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which cluster's vault to release."""

    cluster_id: Text
    """Resource id of a managed cluster; for a release, of a deleted one."""
    plan: Text
    """Hash of a plan. If the plan has changed since, the call is refused with 409."""


class VerificationBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to verify: a job or an item."""

    job_id: Text = ""
    """Resource id of a finished backup job. Give either this or `item_id`."""
    item_id: Text = ""
    """Resource id of a backup instance or protected item."""
    point_id: Text = ""
    """Name of a recovery point of the item. Default: the latest."""

    def __post_init__(self) -> None:
        if bool(self.job_id) == bool(self.item_id):
            raise ValueError("job_id: either this or item_id is needed")
        if self.point_id and not is_name(self.point_id):
            raise ValueError("point_id: it isn't the name of a recovery point")


SHOW_UPCOMING_ROTATIONS = ApiRoute(
    "GET", "plans/rotations", "which trust root is due when, and why; who claims a trust domain that does not list it"
)
SHOW_ROTATION_PLAN = ApiRoute(
    "GET",
    "plans/rotations/{certificate}",
    "what a rotation of a trust root would restart, and what blocks it",
    query=ModeQuery,
)
START_ROTATION = ApiRoute(
    "POST",
    "rotations",
    "starts the rotation of a trust root; with a mode, the hash of a plan is required",
    body=RotationBody,
)
RESUME_ROTATION = ApiRoute(
    "POST", "rotations/{instance_id}/resume", "ends the pause of a rotation, so that it tries again now"
)
ABORT_ROTATION = ApiRoute(
    "POST", "rotations/{instance_id}/abort", "rotates back to the old root; possible until the phase `retire` begins"
)
SHOW_PROTECTION_PLAN = ApiRoute(
    "GET", "plans/protections", "what protecting a cluster would change", query=ClusterQuery
)
START_PROTECTION = ApiRoute(
    "POST", "protections", "creates the vault of a cluster and configures its backup", body=ProtectionBody
)
SHOW_RELEASE_PLANS = ApiRoute(
    "GET",
    "plans/releases",
    "what releasing the vaults of a deleted cluster would delete, a plan for each incarnation",
    query=ClusterQuery,
)
START_RELEASE = ApiRoute(
    "POST",
    "releases",
    "releases the vault of the named plan: deletes its backups, which stay soft-deleted, and then the vault",
    body=ReleaseBody,
)
START_VERIFICATION = ApiRoute(
    "POST", "verifications", "restores a backup in isolation and checks the copy", body=VerificationBody
)
SHOW_RESTORES = ApiRoute(
    "GET", "restores", "RPO, RTO, coverage and alarms of every item over time", query=RestoresQuery
)
SHOW_RESTORE_REPORT = ApiRoute(
    "GET", "restores/report", "the same as `GET /api/restores`, as a page with charts", query=RestoresQuery
)
SHOW_CENSUS = ApiRoute(
    "GET", "census", "which clusters are protected, by what, and when a restore last succeeded; or why not"
)
START_SELFTEST = ApiRoute(
    "POST", "selftest", "tests everything that the app needs, and says what is missing and how to repair it"
)
SHOW_INSTANCE = ApiRoute("GET", "instances/{instance_id}", "the status of a flow")

ROUTES = tuple(each for each in list(vars().values()) if isinstance(each, ApiRoute))
