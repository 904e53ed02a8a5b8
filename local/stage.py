"""The app on its host in a simulated cloud, wired as on Azure: its identities, settings and event subscriptions."""

import json
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from local import scenario
from local.cloud.arm import SUBSCRIPTION
from local.cloud.clock import Clock
from local.cloud.entra import TENANT, Principal
from local.cloud.event_grid.topics import EventGrid
from local.cloud.resources.file_shares import SHARE_TYPE
from local.cloud.resources.machines import MACHINES
from local.cloud.world import World
from local.host.host import FunctionsHost
from local.host.process import Launch, started
from local.manifests import places

APP = Path(__file__).parents[1]
INFRA = APP / "infra"
AUDIENCE = "api://meshward"
DUTIES = ("rotator", "provisioner", "verifier")


@dataclass
class RunningApp:
    """A world, the app's host in it, the folder of its store and the log lines of its worker."""

    world: World
    host: FunctionsHost
    store: Path
    log: list[str]

    @property
    def evidence(self) -> Path:
        """The folder of its evidence."""
        return self.store.with_name("evidence")

    @property
    def policy(self) -> Path:
        """The file of its policy document, which people write."""
        return self.store.with_name("policy") / "policy.json"

    @property
    def clock(self) -> Clock:
        return self.world.clock

    def caller(self, name: str = "operator") -> Principal:
        """Somebody who may call the app's HTTP routes."""
        return self.world.entra.named(name)

    def token(self, name: str = "operator") -> str:
        return self.world.entra.token(self.caller(name), AUDIENCE)

    async def run(self, until: str | Callable[[], bool], limit: timedelta = timedelta(days=3)) -> None:
        """Let virtual time run until an instance (by id) has ended, or until a condition holds."""
        await self.clock.run_until(until if callable(until) else lambda: self.ended(until), limit)

    def say(self, **said: Any) -> None:
        """Let the policy document say this, beside who belongs to the scenario's trust domain."""
        self.policy.write_text(_policy(**said))

    def ended(self, instance_id: str) -> bool:
        instance = self.host.instance(instance_id)
        return instance is not None and instance.ended


def end_alike_on_term() -> None:
    """Let TERM end this process as Ctrl-C does: by what is open, first."""
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))


@asynccontextmanager
async def open_stage(
    *,
    start: float | None = None,
    port: int = 0,
    seed: Callable[[World], None] = scenario.seed,
    settings: Mapping[str, str] | None = None,
    app: Path = APP,
    telemetry: bool = False,
    launch: Launch = started,
    admitted: bool = True,
) -> AsyncIterator[RunningApp]:
    """Build the world, start the app in it and subscribe it to its events; everything ends with the block.

    `settings` are application settings besides those that every stage has, `app` is the folder of the app, `telemetry`
    lets it send what it logs to Application Insights: loading that takes a worker a second. `launch` starts workers.
    The trust domain's root is `admitted`, unless somebody is to see what becomes of one that isn't.
    """
    world = World(Clock(time.time() if start is None else start))
    world.insights.name("appi-meshward", group="rg-meshward")
    world.system_topics.named = named
    await world.start()
    try:
        with tempfile.TemporaryDirectory(prefix="meshward-") as folder:
            world.resource_groups.add(scenario.BACKUP_GROUP)
            seed(world)
            grant(world)
            world.kubernetes.apply_everywhere(places(world.entra.named("verifier").object_id))
            log: list[str] = []
            telemetry_settings = monitored(world) if telemetry else {}
            environ = {**environment(world, Path(folder)), **telemetry_settings, **(settings or {})}
            (Path(folder) / "policy/policy.json").write_text(_policy())
            if admitted:
                scenario.admit_roots(world, Path(folder) / "store")
            host = FunctionsHost(app, environ, world.clock, on_log=log.append, launch=launch)
            try:
                await host.start(port)
                await subscribe(world, host.url)
                yield RunningApp(world, host, Path(folder) / "store", log)
            finally:
                await host.stop()
    finally:
        await world.stop()


def environment(world: World, folder: Path) -> dict[str, str]:
    """The application settings, with every endpoint on loopback, and what App Service adds for managed identities."""
    authority = folder / "ca.pem"
    authority.write_bytes(world.wire.ca_pem)
    for container in ("store", "evidence", "policy"):
        (folder / container).mkdir()
    settings = {
        "tenant_id": TENANT,
        "subscription_ids": SUBSCRIPTION,
        "audience": AUDIENCE,
        "key_vault_url": f"{world.wire.url}/vaults/{scenario.KEY_VAULT}",
        "event_topic_url": f"{world.wire.url}/topics/{scenario.TOPIC}/api/events",
        "store_url": (folder / "store").as_uri(),
        "evidence_url": (folder / "evidence").as_uri(),
        "policy_url": (folder / "policy").as_uri(),
        "backup_resource_group": scenario.BACKUP_GROUP,
        "arm_url": world.wire.url,
        "authority_url": world.wire.url,
        "file_url": f"{world.wire.url}/files/{{account}}",
        "verify_key_vault_domain": "false",
    } | {f"{duty}_client_id": world.entra.named(duty).client_id for duty in DUTIES}
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "IDENTITY_ENDPOINT": world.entra.identity_endpoint,
        "IDENTITY_HEADER": world.entra.identity_header,
        "SSL_CERT_FILE": str(authority),
        "REQUESTS_CA_BUNDLE": str(authority),
        **{f"MESHWARD_{name.upper()}": value for name, value in settings.items()},
    }


def _policy(**said: Any) -> str:
    return json.dumps(scenario.policy(**said))


def monitored(world: World) -> dict[str, str]:
    """The application settings by which telemetry is sent, and sent soon."""
    host = world.entra.named("host").client_id
    return {
        "APPLICATIONINSIGHTS_CONNECTION_STRING": world.insights.connection,
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": f"ClientId={host};Authorization=AAD",
        "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
        "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
        "PYTHON_ENABLE_OPENTELEMETRY": "true",
        "OTEL_BLRP_SCHEDULE_DELAY": "100",
        "OTEL_METRIC_EXPORT_INTERVAL": "200",
    }


def grant(world: World) -> None:
    """Let the app's identities do what infra/roles.json grants, and nothing else."""
    table = json.loads((INFRA / "roles.json").read_text())
    custom = {name: [*role["actions"], *role.get("dataActions", [])] for name, role in table["custom"].items()}
    world.permissions.define(custom, table["builtIn"])
    at = scopes(world)
    world.permissions.granted = {
        (world.entra.named(each["identity"]).object_id, world.permissions.roles[each["role"]], scope)
        for each in table["assignments"]
        for scope in at.get(each["at"], [])
    }


def scopes(world: World) -> dict[str, list[str]]:
    """Where the scopes of infra/roles.json are in this world; the host's storage and the store aren't simulated."""
    return {
        "subscription": [f"/subscriptions/{SUBSCRIPTION}"],
        "keyVault": [vault.id for vault in world.key_vaults.vaults.values()],
        "eventTopic": [world.event_grid.topic(scenario.TOPIC).id],
        "backupGroup": [_group(scenario.BACKUP_GROUP)],
        "insights": [world.insights.id],
        "machineGroup": [machine["id"].partition("/providers/")[0] for machine in world.arm.of_type(MACHINES)],
        "scratchGroup": [group for group in [_group(scenario.SCRATCH_GROUP)] if world.arm.find(group)],
        "shareAccount": [share["id"].partition("/fileServices/")[0] for share in world.arm.of_type(SHARE_TYPE)],
    }


def _group(name: str) -> str:
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}"


def named(function: str) -> str:
    """The name of a function's event subscription, as infra/modules/systemSubscriptions.bicep gives it."""
    return f"meshward-{function.replace('_', '-')}"


async def subscribe(world: World, url: str) -> None:
    """The event subscriptions of infra/subscriptions.json."""
    table = json.loads((INFRA / "subscriptions.json").read_text())
    world.resource_groups.add("rg-events")  # of all topics here
    for vault in world.key_vaults.vaults.values():
        world.system_topics.add(scenario.KEY_VAULT_TOPIC, vault.id, "Microsoft.KeyVault.vaults")
    subscription = f"/subscriptions/{SUBSCRIPTION}"
    world.system_topics.add(EventGrid.SUBSCRIPTION, subscription, "Microsoft.Resources.Subscriptions")
    topics = {"keyVault": scenario.KEY_VAULT_TOPIC, "subscription": EventGrid.SUBSCRIPTION, "own": scenario.TOPIC}
    for each in table["subscriptions"]:
        await world.event_grid.subscribe(
            each["function"],
            topic=topics[each["topic"]],
            endpoint=f"{url}/runtime/webhooks/eventgrid?functionName={each['function']}",
            included_types=each["types"],
            advanced_filters=each["filters"],
            max_attempts=table["retry"]["attempts"],
            ttl_minutes=table["retry"]["minutes"],
        )
