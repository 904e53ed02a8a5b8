"""Policy documents."""

import json
from typing import Any

from shared.domain.policy import Policy, policy_of

BLUE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/blue"


def read(**document: Any) -> Policy:
    """The policy that a document of these parts says."""
    return policy_of(json.dumps(document).encode())
