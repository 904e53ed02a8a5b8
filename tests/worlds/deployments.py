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


def subscribed(main: BicepFile | None = None, **params: Any) -> BicepFile:
    """infra/events.bicep with these parameters, for what main.bicep has made."""
    app = (main or deployed()).read("outputs")["FUNCTION_APP"]
    given = {"resourceGroupName": "rg-mw", "functionAppName": app}
    return BicepFile(INFRA / "events.bicep", given | params, Scope(HOME))
