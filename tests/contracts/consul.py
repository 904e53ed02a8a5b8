"""What Meshward relies on at Consul datacenters, the same for simulated and for real ones.

Rules:
- A suite derives from `ConsulContract` and provides the fixture `consul`: a primary and a secondary.
- `session` is the adapter under test; `admin` and `configure` are everybody else, who calls the API directly.
- Tests leave an authority that signs behind; real datacenters serve all of them.
"""

from tests.contracts.consul_accepted import AcceptedContract
from tests.contracts.consul_authority import AuthorityContract
from tests.contracts.consul_logins import LoginsContract
from tests.contracts.consul_objects import ObjectsContract


class ConsulContract(LoginsContract, AuthorityContract, ObjectsContract, AcceptedContract):
    """The suite."""
