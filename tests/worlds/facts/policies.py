"""Policy documents."""

import json
from typing import Any

from shared.domain.policy import Policy, policy_of

BLUE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/blue"


def read(**document: Any) -> Policy:
    return policy_of(json.dumps(document).encode())
