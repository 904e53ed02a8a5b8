"""Owners of storage accounts and machines who agree that a cluster backs these up."""

from local.cloud.arm import Resource
from shared.domain.vaults.consents import CONSENT_TAG
from tests.worlds.protections import CLUSTER


def agree(*owned: Resource, cluster: str = f"rg-clusters/{CLUSTER}") -> None:
    """Let the tags of these accounts and machines name the cluster."""
    for each in owned:
        each["tags"] = {**each.get("tags", {}), CONSENT_TAG: cluster}


def withdraw(*owned: Resource) -> None:
    """Let their tags name no cluster any more."""
    for each in owned:
        del each["tags"][CONSENT_TAG]
