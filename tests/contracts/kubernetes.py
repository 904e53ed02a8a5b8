"""What Meshward relies on at an API server, the same for the simulated one and for real ones.

Rules:
- A suite derives from `KubernetesContract` and provides the fixture `cluster`.
- `meshward` is the adapter under test; `other` stands for everybody else and calls the API directly.
- Time passes by `until`: controllers of a real cluster take real time, those of the simulated one virtual time.
- Each test has a namespace of its own.
- The adapter lists and never watches; watches are read by lightkube, whose own restarts are relied on. Virtual time
  stands still while one of its requests is under way: a test that waits for its result must not outrun it.
"""

from tests.contracts.kubernetes_permissions import PermissionsContract
from tests.contracts.kubernetes_reads import ReadsContract
from tests.contracts.kubernetes_workloads import WorkloadsContract
from tests.contracts.kubernetes_writes import WritesContract


class KubernetesContract(ReadsContract, WritesContract, WorkloadsContract, PermissionsContract):
    """The suite."""
