"""Looking at what infra/ deploys."""

from collections.abc import Mapping
from typing import Any

from tests.infra.evaluated import BicepFile, Resource

ASSIGNMENT, ALERT = "Microsoft.Authorization/roleAssignments", "Microsoft.Insights/metricAlerts"
ACCOUNT, APP = "Microsoft.Storage/storageAccounts", "Microsoft.Web/sites"
ROLE = "Microsoft.Authorization/roleDefinitions"


def of_type(file: BicepFile, type: str) -> list[Resource]:
    """The resources of a type, as Azure writes it."""
    return [resource for resource in file.resources if resource.type == type]


def body(resource: Resource) -> Mapping[str, Any]:
    """The properties of a resource that is made."""
    assert resource.body is not None
    properties: Mapping[str, Any] = resource.body["properties"]
    return properties
