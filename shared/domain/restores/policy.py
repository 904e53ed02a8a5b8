"""How restores are verified: the knobs of choosing, isolating and checking."""

import re
from collections.abc import Collection
from datetime import timedelta
from typing import Annotated

import msgspec

from shared.domain.cluster import cluster_id
from shared.domain.errors import PermanentError
from shared.domain.resource_id import ACCOUNT_NAME, GROUP_NAME

_CONFIG_MAP = re.compile(r"ConfigMap ([a-z0-9-]+)/[a-z0-9.-]+")

type Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
type Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class Probe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an application shows that it works: an answer below 400 to GET `path`, an open `port`, or a `command` that
    exits with 0 in `image`.

    `workload` is the name of the Deployment, StatefulSet or DaemonSet that answers.
    """

    namespace: str
    workload: str = ""
    port: Port | None = None
    path: str = ""
    image: str = ""
    command: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.command) == bool(self.port):
            raise ValueError("port: a probe has either a port or a command")
        if self.command and not self.image:
            raise ValueError("image: a command needs one to run in")
        if self.port and not self.workload:
            raise ValueError("workload: a port needs the workload that listens there")
        if self.path and not self.path.startswith("/"):
            raise ValueError("path: doesn't begin with a slash")


class VerifyPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The knobs of verifications.

    An item that was never verified, whose backup policy changed, or of which something wasn't verified for
    `verify_within` is verified at its next backup; of all other backups a `share` is drawn. Of those that are verified,
    a share of `older` takes an older point. A verification restores `namespaces_at_once`, those that have waited
    longest, into the cluster itself or into `scratch_cluster`. `rpo` and `rto` are targets. Each `canary`, a file or
    `ConfigMap namespace/name`, tells a time that must not be older than `rpo` when the backup begins.

    Disks of machines are restored to `scratch_group`, the name of a resource group in the item's subscription, by way
    of `staging_account`, a storage account in that group and in the item's region that isn't zone-redundant. From the
    vault tier, restores of clusters pass through both.
    """

    share: Share = 0.25
    verify_within: timedelta = timedelta(days=7)
    older: Share = 0.1
    namespaces_at_once: Annotated[int, msgspec.Meta(ge=1)] = 10
    scratch_cluster: str = ""
    scratch_group: str = ""
    staging_account: str = ""
    rpo: timedelta = timedelta(hours=25)
    rto: timedelta = timedelta(hours=4)
    canary: tuple[str, ...] = ()
    probes: tuple[Probe, ...] = ()
    probe_image: str = "curlimages/curl:8.17.0"

    def __post_init__(self) -> None:
        if bool(self.scratch_group) != bool(self.staging_account):
            raise ValueError("scratch_group: goes together with staging_account")
        for knob, form in (("scratch_group", GROUP_NAME), ("staging_account", ACCOUNT_NAME)):
            if getattr(self, knob) and not re.fullmatch(form, getattr(self, knob)):
                raise ValueError(f"{knob}: not a name that Azure takes")
        for target in ("verify_within", "rpo", "rto"):
            if getattr(self, target) <= timedelta():
                raise ValueError(f"{target}: not longer than nothing")
        if self.scratch_cluster:
            try:
                cluster_id(self.scratch_cluster)
            except PermanentError as error:
                raise ValueError(f"scratch_cluster: {error.message}") from error

    def canaries(self, kind: str, names: Collection[str]) -> list[str]:
        """Those of a share, or those in these namespaces of a cluster; nobody looks into a machine's disks."""
        configs = {canary: _CONFIG_MAP.fullmatch(canary) for canary in self.canary}
        if kind == "share":
            return [canary for canary, config in configs.items() if not config]
        if kind == "machine":
            return []
        return [canary for canary, config in configs.items() if config and config[1] in names]
