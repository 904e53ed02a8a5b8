"""Hosts of the sample app."""

from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp

from local.host.durable import OrchestrationState
from local.host.host import FunctionsHost

SAMPLE = Path(__file__).parents[1] / "host" / "apps" / "sample"
StartHost = Callable[[Path], Awaitable[FunctionsHost]]
Begin = Callable[..., Coroutine[Any, Any, aiohttp.ClientResponse]]
Orchestrate = Callable[..., Awaitable[OrchestrationState]]


def ended(host: FunctionsHost, instance_id: str) -> bool:
    """Whether an orchestration is over."""
    instance = host.instance(instance_id)
    return instance is not None and instance.ended
