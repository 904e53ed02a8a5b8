"""Stands in for `azd up`: runs the hooks of azure.yaml as azd does, with the environment that azd keeps for them.

What azd does itself is done by others: the template is deployed by az, the package by infra/publish.sh.
"""

import json
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from local.cloud.arm import SUBSCRIPTION
from local.stage import APP
from tests.azure.deployer import Deployer

PROJECT: dict[str, Any] = yaml.safe_load((APP / "azure.yaml").read_text())
SUB, CREATE = (
    ("az", "deployment", "sub"),
    ("--template-file", "infra/main.bicep", "--parameters", "infra/main.bicepparam"),
)


async def up(deployer: Deployer, **environ: str) -> dict[str, str]:
    """The environment that azd has in the end."""
    kept = {**environ, "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION}
    file = Path(deployer.environ["HOME"]) / "azd.env"
    file.write_text("")
    deployer.program("azd", f'test "$1 $2 $#" = "env set 4" && echo "$3=$4" >> {file}')
    await _hook(deployer, "preprovision", kept)
    kept |= dict(line.split("=", 1) for line in file.read_text().splitlines())
    name = f"{environ['AZURE_ENV_NAME']}-1796043601"
    await deployer.run(*SUB, "create", "--name", name, "--location", "westeurope", *CREATE, **kept)
    outputs = deployer.rollout.deployments.made[name]["properties"]["outputs"]
    kept |= {name.upper(): _text(output["value"]) for name, output in outputs.items()}
    await _hook(deployer, "postprovision", kept)
    await deployer.run("infra/publish.sh", deployer.environ["MESHWARD_PACKAGE"], **kept)
    await _hook(deployer, "postdeploy", kept)
    return kept


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


async def _hook(deployer: Deployer, name: str, environ: dict[str, str]) -> None:
    hook = PROJECT["hooks"].get(name)
    if hook:
        await deployer.run(hook["shell"], "-c", hook["run"], **environ)
