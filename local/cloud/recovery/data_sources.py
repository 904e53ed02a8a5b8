"""What differs between the data sources of a Recovery Services vault: file shares and virtual machines."""

from typing import Any, ClassVar, Protocol

from local.cloud.arm import Resource
from local.cloud.vaults import JobOutcome
from local.cloud.wire import CloudRequest, Reply


class DataSourceKind(Protocol):
    """File shares (backupManagementType AzureStorage) or virtual machines (AzureIaasVM).

    Items and jobs are the bodies of Azure's answers. What can't be done raises OperationFailed.

    `limits` are on-demand jobs a day and item by operation, `seconds` how long a job takes, `point_lag_seconds` how
    long after a backup's end its recovery point is there.
    """

    limits: ClassVar[dict[str, int]]
    seconds: ClassVar[dict[str, float]]
    point_lag_seconds: float

    def discover(self, vault: str) -> None:
        """Look for what could be protected."""
        ...

    def protectable(self, vault: str) -> list[Resource]:
        """What was discovered; `protectionState` says whether it is protected."""
        ...

    def new_item(self, call: CloudRequest) -> Resource | None:
        """The item that a PUT asks for; None if its container isn't there."""
        ...

    def begin_protection(self, item: Resource, *, new: bool) -> None:
        """Let the item be protected from now on."""
        ...

    def end_protection(self, item: Resource) -> None:
        """Forget an item whose last copy is gone."""
        ...

    def job(self, item: Resource, operation: str, name: str, began: float, *, by_user: bool) -> Resource:
        """A job that is running."""
        ...

    def is_on_demand(self, job: dict[str, Any], item: Resource) -> bool:
        """Whether a job, by its properties, counts against the item's limits."""
        ...

    def close(self, job: Resource, status: str, error: tuple[int, str]) -> None:
        """Write the end of a job; `error` is that of a failed one."""
        ...

    def require_source(self, item: Resource) -> None:
        """Refuse a backup of what can't be read."""
        ...

    def make_point(self, item: Resource, job: Resource, outcome: JobOutcome[Any]) -> None:
        """Make the recovery point of a backup."""
        ...

    def refuse_restore(self, call: CloudRequest) -> Reply | None:
        """The refusal of a restore request, None if it is accepted."""
        ...

    def begin_restore(self, item: Resource, point: Resource, job: Resource, request: dict[str, Any]) -> None:
        """Fill in what a restore's job shows from its start."""
        ...

    def restore(
        self, item: Resource, point: Resource, job: Resource, request: dict[str, Any], outcome: JobOutcome[Any]
    ) -> str:
        """Restore; returns the job's final status."""
        ...
