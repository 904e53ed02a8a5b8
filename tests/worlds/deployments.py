"""What infra/ deploys, with the parameters that are given."""

from typing import Any

from local.stage import INFRA
from tests.infra.evaluated import BicepFile, Scope

HOME, OTHER = "11111111-1111-4111-8111-111111111111", "33333333-3333-4333-8333-333333333333"
PRIVATE = {"network": {"private": True, "callers": ["203.0.113.0/24"]}}
VERIFIED = {
    "shareAccount": f"/subscriptions/{HOME}/resourceGroups/rg-data/providers/Microsoft.Storage/storageAccounts/stdata",
    "machineGroup": f"/subscriptions/{HOME}/resourceGroups/rg-machines",
    "scratchGroup": f"/subscriptions/{HOME}/resourceGroups/rg-scratch",
}


def deployed(**params: Any) -> BicepFile:
    """infra/main.bicep with these parameters."""
    given = {"environmentName": "mw", "location": "westeurope", "audience": "a"}
    return BicepFile(INFRA / "main.bicep", given | params, Scope(HOME))


def granted(main: BicepFile | None = None, **params: Any) -> BicepFile:
    """infra/roles.bicep with these parameters, for what main.bicep has made."""
    outputs = (main or deployed()).read("outputs")
    given = {"made": outputs["MESHWARD_MADE"], "topicPrincipals": outputs["MESHWARD_TOPIC_PRINCIPALS"]}
    return BicepFile(INFRA / "roles.bicep", given | params, Scope(HOME))


def subscribed(main: BicepFile | None = None, **params: Any) -> BicepFile:
    """infra/events.bicep with these parameters, for what main.bicep has made."""
    made = (main or deployed()).read("outputs")["MESHWARD_MADE"]
    return BicepFile(INFRA / "events.bicep", {"made": made} | params, Scope(HOME))
