"""Resource providers of a subscription.

Rules: a provider must be registered before its resources can be made; registering takes a while (Azure docs).
"""

from local.cloud.arm import Arm, Resource
from local.cloud.wire import CloudRequest, Reply, Route

REGISTER_SECONDS = 30.0


class Providers:
    """Every namespace is known. `states` (by subscription and namespace, in lower case) has those not `Registered`."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self.states: dict[tuple[str, str], str] = {}
        one = "/subscriptions/{subscription}/providers/{namespace}"
        routes = [Route("GET", one, self._get), Route("POST", one + "/register", self._register)]
        arm.wire.mount(routes, guard=arm.guard)

    def unregister(self, subscription: str, namespace: str) -> None:
        """As in a subscription in which nobody has used the provider yet."""
        self.states[subscription.lower(), namespace.lower()] = "NotRegistered"

    def _get(self, call: CloudRequest) -> Reply:
        return Reply(body=self._body(call))

    def _register(self, call: CloudRequest) -> Reply:
        key = _key(call)
        if self.states.get(key) == "NotRegistered":
            self.states[key] = "Registering"
            self._arm.clock.after(REGISTER_SECONDS, lambda: self.states.pop(key, None))
        return Reply(body=self._body(call))

    def _body(self, call: CloudRequest) -> Resource:
        subscription, namespace = call.params["subscription"], call.params["namespace"]
        return {
            "id": f"/subscriptions/{subscription}/providers/{namespace}",
            "namespace": namespace,
            "registrationPolicy": "RegistrationRequired",
            "registrationState": self.states.get(_key(call), "Registered"),
            "resourceTypes": [],
        }


def _key(call: CloudRequest) -> tuple[str, str]:
    return call.params["subscription"].lower(), call.params["namespace"].lower()
