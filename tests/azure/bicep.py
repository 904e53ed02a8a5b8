"""Stands in for the Bicep CLI that `az` calls: `build --stdout FILE` and `build-params FILE --stdout`, evaluated.

`az` gives what it prints to Resource Manager, which here takes templates of literals alone.
"""

import json
import os
import sys
from pathlib import Path

from tests.infra import evaluated
from tests.infra.evaluated import BicepFile, Scope, parameters, template

# By this az knows that the template is for a subscription.
SCHEMA = "https://schema.management.azure.com/schemas/2018-05-01/subscriptionDeploymentTemplate.json#"


def main(arguments: list[str]) -> None:
    if arguments == ["--version"]:
        print(f"Bicep CLI version {os.environ.get('STAND_IN_VERSION', '0.40.2')} (stand-in)")  # noqa: T201
        return
    evaluated.reborn.update(os.environ.get("STAND_IN_REBORN", "").split())
    (named,) = [Path(argument) for argument in arguments if argument.endswith((".bicep", ".bicepparam"))][:1]
    said = parameters(named.with_suffix(".bicepparam"), os.environ)
    file = BicepFile(named.with_suffix(".bicep"), said, Scope(os.environ["AZURE_SUBSCRIPTION_ID"]))
    made = json.dumps(template(file) | {"$schema": SCHEMA})
    none = json.dumps({"$schema": "", "contentVersion": "1.0.0.0", "parameters": {}})
    told = made if arguments[0] == "build" else json.dumps({"templateJson": made, "parametersJson": none})
    print(told)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
