"""Stands in for `azd up`: runs the hooks of azure.yaml as azd would, with the environment that azd keeps for them."""

from typing import Any

import yaml

from local.cloud.arm import SUBSCRIPTION
from local.stage import APP
from tests.azure.deployer import Deployer

PROJECT: dict[str, Any] = yaml.safe_load((APP / "azure.yaml").read_text())


async def up(deployer: Deployer, **environ: str) -> None:
    pass
