"""The rungs of the ladder of checks, from cheap to dear: what each proves, what a miss means, and what to do then.

A new check is a row here and its place in `LADDER`, what climbs it in `checks`, and a test. The page follows.
"""

from typing import Literal

import msgspec

type Weight = Literal["failure", "finding", "unknown"]


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was found on one rung, and the seconds that it measured (None if it measured no time).

    `weight` says what a check that didn't pass means: a failed copy, a finding, or that nothing can be said.
    """

    name: str
    passed: bool
    finding: str
    seconds: float | None = None
    weight: Weight = "failure"


class Rung(msgspec.Struct, frozen=True, kw_only=True):
    """A check that a copy has to pass; `weight` is what a miss means, but for the `exception` that is told here."""

    name: str
    passes_if: str
    weight: Weight = "failure"
    exception: str = ""
    advice: str

    def check(
        self, *, passed: bool, finding: str, seconds: float | None = None, weight: Weight | None = None
    ) -> CheckResult:
        """What was found here; `weight` is given where it isn't the rung's own."""
        return CheckResult(
            name=self.name, passed=passed, finding=finding, seconds=seconds, weight=weight or self.weight
        )


AGE = Rung(
    name="recovery point age",
    passes_if="the latest point is younger than `rpo`",
    weight="finding",
    advice="compare `backup_every` with `rpo`, and look at the jobs of the item's last backups",
)
THREAT = Rung(
    name="threat flag",
    passes_if="no point was passed over for a threat",
    weight="finding",
    advice="the finding names the points: look at the alert of Defender for Cloud, and at the source",
)
RESTORE_JOB = Rung(
    name="restore job",
    passes_if="it completed",
    advice="the finding has the job's own errors",
)
WARNINGS = Rung(
    name="restore warnings",
    passes_if="there are none, or harmless ones (something exists already)",
    weight="finding",
    exception="failed if one is about a volume, a snapshot or something skipped",
    advice="the finding names the volume or snapshot: Azure Backup for AKS doesn't take its type, or the snapshot is "
    "gone",
)
COUNTERS = Rung(
    name="restore counters",
    passes_if="files were restored, none failed or was skipped",
    advice="look at the job in the vault, which names the files",
)
INVENTORY = Rung(
    name="inventory",
    passes_if="nothing is missing or altered that was there before the backup",
    advice="compare the backup's included namespaces and hooks with what the workload needs; restore the point by "
    "hand into a namespace of your own and look",
)
CANARY = Rung(
    name="canary",
    passes_if="each tells a time not older than `rpo` before the backup",
    advice="see that the application still writes its canary; if it does, the copy is older than its point says",
)
VOLUMES = Rung(
    name="volumes bound",
    passes_if="every claim is",
    advice="`kubectl describe` of the claim in a namespace of your own: its storage class, the quota of disks",
)
PODS = Rung(
    name="pods ready",
    passes_if="all are",
    exception="inconclusive if the cluster has no room for them",
    advice="`kubectl describe` fails the same way in a namespace of your own: Secrets from a vault, node selectors, "
    "quotas",
)
MESH_IDENTITY = Rung(
    name="mesh identity",
    passes_if="every pod of the mesh has a ready proxy that trusts a root in force",
    advice="the source's namespace asks for a proxy that the copy didn't get, or gets one that trusts no root in "
    "force: look at the injector and at a rotation under way",
)
HANDSHAKE = Rung(
    name="mesh handshake",
    passes_if="in each namespace a pod that the mesh lets in is answered by a restored workload",
    exception="finding if the call couldn't be made",
    advice="as for `mesh identity`",
)
REFUSAL = Rung(
    name="mesh refusal",
    passes_if="a pod that the mesh doesn't let in is refused",
    exception="finding if the call couldn't be made",
    advice="the mesh's policy doesn't act: look at Linkerd's policy controller",
)
PROBE = Rung(
    name="application probe",
    passes_if="as the policy document says",
    exception="inconclusive if it couldn't run",
    advice="the finding has the status or the command's last words",
)
RESTORE_TIME = Rung(
    name="restore time",
    passes_if="the workloads were ready within `rto`",
    weight="finding",
    advice="compare `rto` with the times that the checks measured: of the job, and of the workloads",
)

LADDER = (
    AGE,
    THREAT,
    RESTORE_JOB,
    WARNINGS,
    COUNTERS,
    INVENTORY,
    CANARY,
    VOLUMES,
    PODS,
    MESH_IDENTITY,
    HANDSHAKE,
    REFUSAL,
    PROBE,
    RESTORE_TIME,
)
