"""The simulated cloud as the real `az` sees it: a cloud of its own, a deployer who is logged in, the app behind it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from local import scenario
from local.cloud.arm import SUBSCRIPTION
from local.cloud.entra import TENANT
from local.cloud.graph import Graph
from local.rollout import Rollout
from local.stage import APP, Stage, open_stage
from tests.flows.trust.test_rotation import NO_WATCH

AZ = APP / ".cache" / "az" / "bin"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
SPEED = 30  # virtual seconds in a real one: nobody waits half a minute for a provider to register


@dataclass
class Deployer:
    """Somebody with `az`, in the simulated cloud. `run` gives what a command prints, and fails as it does."""

    stage: Stage
    rollout: Rollout
    graph: Graph
    environ: dict[str, str]

    async def run(self, *command: str, expect: int = 0, **environ: str) -> str:
        child = await asyncio.create_subprocess_exec(
            *command,
            cwd=APP,
            env={**self.environ, **environ},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        told = (await child.communicate())[0].decode()
        assert child.returncode == expect, told[-4000:]
        return told


@pytest.fixture
async def deployer(tmp_path: Path) -> AsyncIterator[Deployer]:
    if not (AZ / "az").is_file():
        pytest.skip("there is no az: make test-azure installs it")
    seed = partial(scenario.seed_trust, clusters=1)
    async with open_stage(seed=seed, settings=NO_WATCH) as stage:
        world = stage.world
        owner = world.entra.named("operator")
        world.permissions.definitions[OWNER] = ["*"]
        world.permissions.granted.add((owner.object_id, OWNER, f"/subscriptions/{SUBSCRIPTION}"))
        found = Deployer(
            stage, Rollout(world, stage.host.functions), Graph(world.wire, world.entra), environment(stage, tmp_path)
        )
        flowing = asyncio.create_task(world.clock.flow(SPEED))
        try:
            await register(found)
            yield found
        finally:
            flowing.cancel()


def environment(stage: Stage, folder: Path) -> dict[str, str]:
    authority, tools = folder / "ca.pem", folder / "tools"
    authority.write_bytes(stage.world.wire.ca_pem)
    tools.mkdir()
    (tools / "bicep").write_text(f'#!/bin/sh\nPYTHONPATH="{APP}" exec "{sys.executable}" -m tests.azure.bicep "$@"\n')
    (tools / "bicep").chmod(0o755)
    return {
        "PATH": f"{tools}:{AZ}:{os.environ['PATH']}",
        "HOME": str(folder),
        "PYTHON": sys.executable,
        "IDENTITY_ENDPOINT": stage.world.entra.identity_endpoint,
        "IDENTITY_HEADER": stage.world.entra.identity_header,
        "REQUESTS_CA_BUNDLE": str(authority),
        "CURL_CA_BUNDLE": str(authority),
        "AZURE_CONFIG_DIR": str(folder / "az"),
        "AZURE_CORE_COLLECT_TELEMETRY": "false",
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        "AZURE_BICEP_USE_BINARY_FROM_PATH": "true",
        "AZURE_BICEP_CHECK_VERSION": "false",
        "AZURE_ENV_NAME": "meshward",
        "AZURE_LOCATION": "westeurope",
    } | {name: os.environ[name] for name in ("PIP_CERT", "PIP_INDEX_URL", "SSL_CERT_FILE") if name in os.environ}


async def register(deployer: Deployer) -> None:
    """Make the simulated cloud one of az's, and log in to it by managed identity."""
    url = f"{deployer.stage.world.wire.url}/"
    await deployer.run("az", "cloud", "register", "--name", "Simulated", "--endpoint-resource-manager", url)
    await deployer.run("az", "cloud", "set", "--name", "Simulated")
    client = deployer.stage.caller().client_id
    told = await deployer.run("az", "login", "--identity", "--client-id", client)
    assert SUBSCRIPTION in told
    assert TENANT in told
