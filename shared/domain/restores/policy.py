"""How restores are verified: the knobs of choosing, isolating and checking."""

import re
from datetime import timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from shared.domain.cluster import cluster_id
from shared.domain.errors import PermanentError
from shared.domain.knobs import SOME_TIME, Section
from shared.domain.resource_id import ACCOUNT_NAME, GROUP_NAME

type Port = Annotated[int, Meta(ge=1, le=65535)]


class Probe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an application shows that it works: by a port that answers, or by a command that exits with 0."""

    namespace: Annotated[str, Meta(description="The namespace of the application in the source.")]
    workload: Annotated[
        str, Meta(description="The Deployment, StatefulSet or DaemonSet that listens on `port`, by its name.")
    ] = ""
    port: Annotated[Port | None, Meta(description="The port that is called.")] = None
    path: Annotated[
        str,
        Meta(
            description="GET of this path must be answered below 400. Without a path the connection must be "
            "accepted, which proves nothing in a mesh, where the proxy accepts it."
        ),
    ] = ""
    image: Annotated[str, Meta(description="The image in which `command` runs.")] = ""
    command: Annotated[
        tuple[str, ...],
        Meta(
            description="A command that must exit with 0. The verdict quotes the first 200 characters of its "
            "termination message, so write no secret there."
        ),
    ] = ()

    def __post_init__(self) -> None:
        if bool(self.command) == bool(self.port):
            raise ValueError("port: a probe has either a port or a command")
        if self.command and not self.image:
            raise ValueError("image: a command needs one to run in")
        if self.port and not self.workload:
            raise ValueError("workload: a port needs the workload that listens there")
        if self.path and not self.path.startswith("/"):
            raise ValueError("path: doesn't begin with a slash")


class VerifyPolicy(Section, frozen=True, kw_only=True):
    """The knobs of verifications."""

    sample_rate: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="The part of all backups that is verified where nothing else asks for it.",
            extra={"formerly": "share"},
        ),
    ] = 0.25
    verify_within: Annotated[
        timedelta,
        Meta(
            description="An item of which something wasn't verified for so long is verified at its next backup. So "
            "is one that never was, or whose backup policy has changed.",
            extra=SOME_TIME,
        ),
    ] = timedelta(days=7)
    older_point_rate: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="The part of all verifications that takes an older recovery point instead of the latest.",
            extra={"formerly": "older"},
        ),
    ] = 0.1
    namespaces_at_once: Annotated[
        int,
        Meta(
            ge=1,
            description="How many namespaces of a cluster one verification restores: those that have waited longest.",
            extra={"unit": "namespaces"},
        ),
    ] = 10
    scratch_cluster: Annotated[
        str,
        Meta(
            description="The cluster (resource id) of the same region that clusters are restored to. It needs the "
            "backup extension and trusted access of the vault.",
            extra={"unset": "the cluster itself"},
        ),
    ] = ""
    scratch_group: Annotated[
        str,
        Meta(
            description="Name of the resource group, in the item's subscription, that machines' disks are restored "
            "to, and that restores of clusters from the vault tier pass through. Without it neither are "
            "verified. Keep nothing else in it."
        ),
    ] = ""
    staging_account: Annotated[
        str,
        Meta(
            description="Name of a storage account in `scratch_group` and in the item's region, not zone-redundant, "
            "that these restores pass through."
        ),
    ] = ""
    rpo: Annotated[timedelta, Meta(description="The target: how old a recovery point may be.", extra=SOME_TIME)] = (
        timedelta(hours=25)
    )
    rto: Annotated[
        timedelta,
        Meta(description="The target: how long a restore may take until its workloads are ready.", extra=SOME_TIME),
    ] = timedelta(hours=4)
    canary: Annotated[
        tuple[str, ...],
        Meta(
            description="Into what the application writes the time (ISO 8601) at least every `rpo`: a file of a share "
            "(`2026/heartbeat.txt`), or a ConfigMap (`ConfigMap shop/heartbeat`). The time in a copy must not be older "
            "than `rpo` when the backup begins."
        ),
    ] = ()
    probes: Annotated[tuple[Probe, ...], Meta(description="What shows that the applications work.")] = ()
    probe_image: Annotated[
        str, Meta(description="The image, with curl 8.3 or newer, that calls the restored workloads.")
    ] = "curlimages/curl:8.17.0"

    def __post_init__(self) -> None:
        super().__post_init__()
        if bool(self.scratch_group) != bool(self.staging_account):
            raise ValueError("scratch_group: goes together with staging_account")
        for knob, form in (("scratch_group", GROUP_NAME), ("staging_account", ACCOUNT_NAME)):
            if getattr(self, knob) and not re.fullmatch(form, getattr(self, knob)):
                raise ValueError(f"{knob}: not a name that Azure takes")
        if self.scratch_cluster:
            try:
                cluster_id(self.scratch_cluster)
            except PermanentError as error:
                raise ValueError(f"scratch_cluster: {error.message}") from error
