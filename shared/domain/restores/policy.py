"""How restores are verified: the knobs of choosing, isolating and checking."""

import re
from datetime import timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from shared.domain.cluster import cluster_id
from shared.domain.errors import PermanentError
from shared.domain.knobs import Section, SomeTime
from shared.domain.resource_id import ACCOUNT_NAME, GROUP_NAME

type Port = Annotated[int, Meta(ge=1, le=65535)]


class Probe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an application shows that it works: by a port that answers, or by a command that exits with 0."""

    namespace: str
    """The namespace of the application in the source cluster."""
    workload: str = ""
    """The name of the Deployment, StatefulSet or DaemonSet that listens on `port`."""
    port: Port | None = None
    """The port that is called."""
    path: str = ""
    """A GET of this path must be answered with a status below 400. Without a path, the connection must be accepted. In
    a mesh that proves nothing, because the proxy accepts every connection."""
    image: str = ""
    """The image in which `command` runs."""
    command: tuple[str, ...] = ()
    """A command that must exit with 0. The verdict quotes the first 200 characters of its termination message, so write
    no secret there."""

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

    sample_rate: Annotated[float, Meta(ge=0, le=1, extra={"formerly": "share"})] = 0.25
    """The fraction of backups that are verified as a sample: 0.25 is a quarter."""
    verify_within: SomeTime = timedelta(days=7)
    """If an item, or one of its namespaces, wasn't verified for this long, its next backup is verified. So is the next
    backup of an item that was never verified, or whose backup policy changed."""
    older_point_rate: Annotated[float, Meta(ge=0, le=1, extra={"formerly": "older"})] = 0.1
    """The fraction of verifications that take an older recovery point instead of the latest."""
    namespaces_at_once: Annotated[int, Meta(ge=1, extra={"unit": "namespaces"})] = 10
    """How many namespaces of a cluster one verification restores, those first that were verified longest ago."""
    scratch_cluster: Annotated[str, Meta(extra={"unset": "the cluster itself"})] = ""
    """The cluster (resource id) to which backups of clusters are restored. It must be in the same region, with the
    backup extension and trusted access for the vault."""
    scratch_group: str = ""
    """Name of the resource group, in the item's subscription, for restored disks of virtual machines and for staging
    cluster restores from the vault tier. Without it, neither is verified. Keep nothing else in it."""
    staging_account: str = ""
    """Name of the storage account in `scratch_group` where Azure Backup stages these restores. It must be in the item's
    region and not zone-redundant."""
    rpo: SomeTime = timedelta(hours=25)
    """Target: the greatest age of the latest recovery point."""
    rto: SomeTime = timedelta(hours=4)
    """Target: the longest time from the start of a restore until its workloads are ready."""
    canary: tuple[str, ...] = ()
    """Files of a file share (`2026/heartbeat.txt`) or ConfigMaps (`ConfigMap shop/heartbeat`) into which the
    application writes the time (ISO 8601) at least every `rpo`. In a copy, the time may be at most `rpo` older than the
    start of the backup."""
    probes: tuple[Probe, ...] = ()
    """Calls or commands that show whether the applications work."""
    probe_image: str = "curlimages/curl:8.17.0"
    """The image that calls the restored workloads. It must have curl 8.3 or newer."""

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
