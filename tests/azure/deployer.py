"""Somebody with the real `az` in the simulated cloud: a cloud of its own, to which they have logged in."""

import asyncio
import atexit
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from local.cloud.arm import SUBSCRIPTION
from local.cloud.entra import TENANT
from local.cloud.graph import Graph
from local.rollout import Rollout
from local.stage import APP, RunningApp

SPEED = 30  # virtual seconds in a real one, also of what scripts sleep: nobody waits minutes for a role to act
AZ = APP / ".cache" / "az" / "bin"


@dataclass
class Deployer:
    """Somebody with `az`, in the simulated cloud."""

    stage: RunningApp
    rollout: Rollout
    graph: Graph
    environ: dict[str, str]

    async def run(self, *command: str, **environ: str) -> str:
        """What a command prints that does what it is to do."""
        return await self._exits(0, command, environ)

    async def refused(self, *command: str, **environ: str) -> str:
        """What a command prints that exits with 1."""
        return await self._exits(1, command, environ)

    async def _exits(self, expected: int, command: Sequence[str], environ: Mapping[str, str]) -> str:
        child = await asyncio.create_subprocess_exec(
            *command,
            cwd=APP,
            env={**self.environ, **environ},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        told = (await child.communicate())[0].decode()
        assert child.returncode == expected, told[-4000:]
        return told

    async def deploy(self, **environ: str) -> str:
        """`make deploy` of a package that is built; `make package` tries to build one."""
        return await self.run("infra/deploy.sh", **environ)

    def program(self, name: str, lines: str) -> None:
        """A program on the path."""
        _program(Path(self.environ["PATH"].partition(":")[0]) / name, lines)


def _program(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


@cache
def warm_az() -> Path:
    """The socket of an az that is forked for each call; it lives as long as this process."""
    path = Path(mkdtemp(prefix="az-")) / "socket"
    environ = {"PATH": os.environ["PATH"], "HOME": str(path.parent), "AZURE_CONFIG_DIR": str(path.with_name("config"))}
    program = [AZ / "python", Path(__file__).with_name("warm_az.py"), path]
    serving = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ)
    assert serving.stdout
    assert serving.stdout.readline() == b"ready\n"
    atexit.register(serving.communicate)
    return path


def environment(stage: RunningApp, folder: Path) -> dict[str, str]:
    authority, tools, package = folder / "ca.pem", folder / "tools", folder / "meshward.zip"
    package.write_bytes(b"a package")
    authority.write_bytes(stage.world.wire.ca_pem)
    tools.mkdir()
    config = warm_az().with_name("config")
    shutil.rmtree(config, ignore_errors=True)
    _program(tools / "bicep", f'PYTHONPATH="{APP}" exec "{sys.executable}" -m tests.azure.bicep "$@"')
    _program(tools / "az", f'exec "{sys.executable}" -S -E "{Path(__file__).with_name("az.py")}" "{warm_az()}" "$@"')
    _program(tools / "sleep", f'exec {shutil.which("sleep")} "$(echo "$1" | awk \'{{print $1 / {SPEED}}}\')"')
    return {
        "PATH": f"{tools}:{AZ}:{os.environ['PATH']}",
        "HOME": str(folder),
        "PYTHON": sys.executable,
        "IDENTITY_ENDPOINT": stage.world.entra.identity_endpoint,
        "IDENTITY_HEADER": stage.world.entra.identity_header,
        "REQUESTS_CA_BUNDLE": str(authority),
        "CURL_CA_BUNDLE": str(authority),
        "AZURE_CONFIG_DIR": str(config),
        "AZURE_CORE_COLLECT_TELEMETRY": "false",
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        "AZURE_BICEP_USE_BINARY_FROM_PATH": "true",
        "AZURE_BICEP_CHECK_VERSION": "false",
        "AZURE_ENV_NAME": "meshward",
        "AZURE_LOCATION": "westeurope",
        "MESHWARD_AUDIENCE": "meshward",
        "MESHWARD_PACKAGE": str(package),
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
