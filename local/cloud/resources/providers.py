"""Resource providers of a subscription.

Rules: a provider must be registered before its resources can be made; registering takes a while (Azure docs).
"""

from local.cloud.arm import Arm, Resource
from local.cloud.wire import CloudRequest, Reply, Route

REGISTER_SECONDS = 30.0
LISTED = (
    "App",
    "Authorization",
    "Compute",
    "ContainerService",
    "DataProtection",
    "DurableTask",
    "EventGrid",
    "Insights",
    "KeyVault",
    "KubernetesConfiguration",
    "ManagedIdentity",
    "Network",
    "OperationalInsights",
    "RecoveryServices",
    "ResourceGraph",
    "Storage",
    "Web",
)


class Providers:
    """Every namespace is known, and a list has a few. `states` (by subscription and namespace, in lower case) has those
    not `Registered`."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self.states: dict[tuple[str, str], str] = {}
        all_ = "/subscriptions/{subscription}/providers"
        routes = [
            Route("GET", all_, self._list),
            Route("GET", f"{all_}/{{namespace}}", self._get),
            Route("POST", f"{all_}/{{namespace}}/register", self._register),
        ]
        arm.wire.mount(routes, guard=arm.guard)

    def unregister(self, subscription: str, namespace: str) -> None:
        """As in a subscription in which nobody has used the provider yet."""
        self.states[subscription.lower(), namespace.lower()] = "NotRegistered"

    def _list(self, call: CloudRequest) -> Reply:
        return Reply(body={"value": [self._body(call.params["subscription"], f"Microsoft.{each}") for each in LISTED]})

    def _get(self, call: CloudRequest) -> Reply:
        return Reply(body=self._body(call.params["subscription"], call.params["namespace"]))

    def _register(self, call: CloudRequest) -> Reply:
        key = _key(call)
        if self.states.get(key) == "NotRegistered":
            self.states[key] = "Registering"
            self._arm.clock.after(REGISTER_SECONDS, lambda: self.states.pop(key, None))
        return self._get(call)

    def _body(self, subscription: str, namespace: str) -> Resource:
        return {
            "id": f"/subscriptions/{subscription}/providers/{namespace}",
            "namespace": namespace,
            "registrationPolicy": "RegistrationRequired",
            "registrationState": self.states.get((subscription.lower(), namespace.lower()), "Registered"),
            "resourceTypes": [],
        }


def _key(call: CloudRequest) -> tuple[str, str]:
    return call.params["subscription"].lower(), call.params["namespace"].lower()
