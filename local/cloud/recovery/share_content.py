"""What a restore of an Azure Files share writes: pure rules over paths and contents (Azure Backup REST docs)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from local.cloud.vaults import JobOutcome

Content = tuple[str, bytes]


@dataclass
class ShareRestorePlan:
    writes: dict[str, bytes] = field(default_factory=dict)
    skipped: int = 0
    failed: int = 0

    @property
    def counters(self) -> dict[str, str]:
        """The counts as a job's property bag has them."""
        megabytes = sum(map(len, self.writes.values())) / 2**20
        return {
            "Data Transferred (in MB)": f"{megabytes:.0f}",
            "Number Of Restored Files": str(len(self.writes)),
            "Number Of Skipped Files": str(self.skipped),
            "Number Of Failed Files": str(self.failed),
        }


def requested_files(request: dict[str, Any], files: dict[str, bytes]) -> list[Content]:
    """The files that a restore request asks for, at their target paths."""
    specs = request.get("restoreFileSpecs") or [{}]
    if request["restoreRequestType"] == "FullShareRestore":
        return [(_under(specs[0].get("targetFolderPath"), path), content) for path, content in files.items()]
    return [file for spec in specs for file in _named_by(spec, files)]


def planned(
    files: Iterable[Content], present: dict[str, bytes], copy: str, outcome: JobOutcome[Content]
) -> ShareRestorePlan:
    """What is written: `copy` says what happens to a file that exists, `outcome` what the restore makes of each.

    A file that the outcome leaves out counts as failed, unless the job is to complete as if nothing had happened.
    """
    plan = ShareRestorePlan()
    for path, content in files:
        made = outcome.restored((path, content))
        if made is None:
            plan.failed += outcome.status != "Completed"
        elif path in present and copy == "Skip":
            plan.skipped += 1
        elif path in present and copy == "FailOnConflict":
            plan.failed += 1
        else:
            plan.writes[made[0]] = made[1]
    return plan


def _named_by(spec: dict[str, Any], files: dict[str, bytes]) -> list[Content]:
    path, folder = spec["path"].strip("/"), spec.get("targetFolderPath")
    if spec.get("fileSpecType") == "File":
        return [(_under(folder, path.rpartition("/")[2]), files[path])] if path in files else []
    above = path.rpartition("/")[0]
    inside = ((name, content) for name, content in files.items() if name.startswith(f"{path}/"))
    return [(_under(folder, name.removeprefix(f"{above}/") if folder else name), content) for name, content in inside]


def _under(folder: str | None, path: str) -> str:
    return f"{folder.strip('/')}/{path}" if folder else path
