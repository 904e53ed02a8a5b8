"""Policy documents."""

import json
from typing import Any

from shared.domain.policy import Policy, policy_of

_GROUP = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/g"
BLUE = f"{_GROUP}/providers/Microsoft.ContainerService/managedClusters/blue"


def read(**document: Any) -> Policy:
    """The policy that a document of these parts says."""
    return policy_of(json.dumps(document).encode())
