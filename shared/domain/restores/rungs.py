"""The ladder of checks: what each check proves, what it means if a copy doesn't pass, and what to do then.

Checks are made in the order of their rungs. To add one: write its rung here, write what finds it in `checks`, and add a
test. `make docs` writes the page.
"""

from typing import Literal

import msgspec

type Weight = Literal["failure", "finding", "unknown"]


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a check has found."""

    name: str  # of the rung
    passed: bool  # whether the copy passes
    finding: str  # what was found, for people
    seconds: float | None = None  # that it measured; None if it measures no time
    weight: Weight = "failure"  # what it means otherwise: a failed copy, a finding, or that nothing can be said


class Rung(msgspec.Struct, frozen=True, kw_only=True):
    """A check that a copy has to pass."""

    name: str  # as verdicts and docs/restores.md have it
    passes_if: str  # when a copy passes, for docs/restores.md
    weight: Weight = "failure"  # what it means otherwise
    exception: str = ""  # when it means more or less than that
    advice: str  # what to do if a copy doesn't pass

    def check(
        self, *, passed: bool, finding: str, seconds: float | None = None, weight: Weight | None = None
    ) -> CheckResult:
        """What was found here; `weight` is given where it isn't the rung's own."""
        return CheckResult(
            name=self.name, passed=passed, finding=finding, seconds=seconds, weight=weight or self.weight
        )


AGE = Rung(
    name="recovery point age",
    passes_if="the latest recovery point is younger than `rpo`",
    weight="finding",
    advice="compare `backup_every` with `rpo`, and look at the item's last backup jobs",
)
THREAT = Rung(
    name="threat flag",
    passes_if="no recovery point was skipped because of a threat, and Azure's word on threats to the restored one is "
    "known",
    weight="finding",
    advice="the finding names the recovery points: look at the alert of Defender for Cloud, and at the source. A "
    "status that isn't known (`Unknown` and `NotAvailable`, too) says neither that there is a threat nor that there is "
    "none",
)
PARTIAL = Rung(
    name="partial backup",
    passes_if="no younger recovery point was skipped because Azure says that it is partial",
    weight="finding",
    advice="look at the warnings of the backup jobs: they name what isn't in the recovery point",
)
ISOLATION = Rung(
    name="isolation",
    passes_if="in each isolated namespace, a pod's call out failed before anything was restored there",
    weight="unknown",
    advice="nothing was restored: see `NotIsolated` below",
)
RESTORE_JOB = Rung(
    name="restore job",
    passes_if="Azure's restore job completed",
    advice="the finding quotes the job's errors",
)
WARNINGS = Rung(
    name="restore warnings",
    passes_if="the job gave no warning, or harmless ones only (something exists already)",
    weight="finding",
    exception="failed if a warning is about a volume, a snapshot or something skipped",
    advice="the finding names the volume or snapshot: either Azure Backup for AKS doesn't support its type, or the "
    "snapshot was deleted",
)
COUNTERS = Rung(
    name="restore counters",
    passes_if="the job restored files, and no file failed or was skipped",
    advice="look at the job in the vault: it names the files",
)
INVENTORY = Rung(
    name="inventory",
    passes_if="everything that the manifest lists from before the backup is there and unaltered",
    exception="finding if only ConfigMaps are altered that the copy has itself changed since they were restored; "
    "inconclusive if nothing else was compared",
    advice="compare the backup's included namespaces and hooks with what the workload needs; restore the recovery "
    "point into a namespace of your own and look",
)
CANARY = Rung(
    name="canary",
    passes_if="the time in each canary is at most `rpo` older than the backup",
    advice="check that the application still writes its canary; if it does, the data is older than its recovery "
    "point says",
)
VOLUMES = Rung(
    name="volumes bound",
    passes_if="every volume claim is bound",
    exception="finding if nothing that was restored uses the unbound ones (storage classes may wait for a consumer); "
    "inconclusive if no other claim is there",
    advice="restore into a namespace of your own and `kubectl describe` the claim: look at its storage class and the "
    "quota of disks",
)
PODS = Rung(
    name="pods ready",
    passes_if="every restored pod is ready",
    exception="inconclusive if pods are unschedulable",
    advice="restore into a namespace of your own and `kubectl describe` the pod: look for Secrets from a vault, node "
    "selectors, quotas",
)
CONFINEMENT = Rung(
    name="confinement",
    passes_if="no restored workload asks for what a copy doesn't get: host namespaces and ports, privileges, "
    "capabilities beyond pod security baseline, directories of the node, network volumes without a claim, a priority",
    weight="finding",
    exception="inconclusive if nothing else runs",
    advice="the finding names the workloads, which were restored but don't run: that they work isn't verified. Try a "
    "restore of them by hand, in a cluster that may be harmed",
)
MESH_IDENTITY = Rung(
    name="mesh identity",
    passes_if="every pod of the mesh has a ready proxy that trusts a current root",
    advice="the copy got no proxy, or one that trusts no current root: look at the proxy injector, and at a rotation "
    "under way",
)
HANDSHAKE = Rung(
    name="mesh handshake",
    passes_if="in each namespace, a restored workload answers a pod that the mesh's policy admits",
    exception="finding if the call couldn't be made",
    advice="the same as for `mesh identity`",
)
REFUSAL = Rung(
    name="mesh refusal",
    passes_if="in each namespace, a pod that the mesh's policy doesn't admit is refused",
    exception="finding if the call couldn't be made",
    advice="the mesh's policy isn't enforced: look at Linkerd's policy controller",
)
PROBE = Rung(
    name="application probe",
    passes_if="every probe of the policy document (`probes`) succeeds",
    exception="inconclusive if a probe couldn't run",
    advice="the finding has the HTTP status, or the first 200 characters of the command's termination message",
)
RESTORE_TIME = Rung(
    name="restore time",
    passes_if="the workloads were ready within `rto`",
    weight="finding",
    advice="compare `rto` with the measured times: of the restore job, and until the workloads were ready",
)

LADDER = tuple(each for each in list(vars().values()) if isinstance(each, Rung))
