"""What a kind of datasource does its own way: shares (AzureStorage) and virtual machines (AzureIaasVM)."""

from typing import Any, ClassVar, Protocol

from local.cloud.arm import Resource
from local.cloud.vaults import JobOutcome
from local.cloud.wire import CloudRequest, Reply


class DataSourceKind(Protocol):
    """Items and jobs are rows, as the wire shows them. What can't be done raises OperationFailed.

    `limits` are on-demand jobs a day and item by operation, `seconds` how long a job takes, `point_lag` how long after
    a backup's end its recovery point is there.
    """

    limits: ClassVar[dict[str, int]]
    seconds: ClassVar[dict[str, float]]
    point_lag: float

    def discover(self, vault: str) -> None:
        """Look for what could be protected."""
        ...

    def protectable(self, vault: str) -> list[Resource]:
        """What was found and isn't protected, or says that it is."""
        ...

    def new_item(self, call: CloudRequest) -> Resource | None:
        """The item that a PUT asks for; None if its container isn't there."""
        ...

    def admit(self, item: Resource, *, new: bool) -> None:
        """Let the item be protected from now on."""
        ...

    def release(self, item: Resource) -> None:
        """Forget an item whose last copy is gone."""
        ...

    def job(self, item: Resource, operation: str, name: str, began: float, *, by_user: bool) -> Resource:
        """A job that is running."""
        ...

    def is_on_demand(self, job: dict[str, Any], item: Resource) -> bool:
        """Whether a job, by its properties, counts against the item's limits."""
        ...

    def close(self, job: Resource, status: str, told: tuple[int, str]) -> None:
        """Write the end of a job; `told` is the error of a failed one."""
        ...

    def require_source(self, item: Resource) -> None:
        """Refuse a backup of what can't be read."""
        ...

    def keep(self, item: Resource, job: Resource, outcome: JobOutcome[Any]) -> None:
        """Make the recovery point of a backup."""
        ...

    def refuse(self, call: CloudRequest) -> Reply | None:
        """Refuse a restore request at once."""
        ...

    def begin_restore(self, item: Resource, point: Resource, job: Resource, request: dict[str, Any]) -> None:
        """Write what a restore's job says from its start."""
        ...

    def restore(
        self, item: Resource, point: Resource, job: Resource, request: dict[str, Any], outcome: JobOutcome[Any]
    ) -> str:
        """Do what was asked for; the job's final status."""
        ...
