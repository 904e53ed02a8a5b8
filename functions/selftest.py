"""Says what a deployment lacks, and the command that mends it.

POST /api/selftest ──▶ selftest ──▶ side by side: probes of clock, resource providers, roles, store, each root's key and
                                    each cluster; then an event that has to come back through our own topic

It changes nothing but a few small documents in the store.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import azure.durable_functions as df
import azure.functions as func
import msgspec

from functions.engine.activities import activity
from functions.engine.client import Client
from functions.engine.durable import DeadlinePassed, Runbook, Steps, log_declined, orchestrator
from functions.engine.incoming import envelope_of
from shared.domain.errors import MeshwardError, NotConverged
from shared.domain.events import SELFTEST, selftest_sent
from shared.domain.selftest import (
    CERTIFICATE_EVENTS,
    CLUSTER_EVENTS,
    PROVIDERS,
    TRIED,
    Places,
    SelftestCheck,
    SelftestFinding,
    SystemTopic,
    check_clock,
    check_permitted,
    check_registered,
    check_subscribed,
    cluster_checks,
    event_check,
    finding,
    key_check,
    standing_checks,
    subscribed_vault,
)
from shared.domain.trust.roots import current_roots
from shared.wiring import services

app = df.Blueprint()

SOON = timedelta(seconds=10)
PATIENCE = timedelta(minutes=5)


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """An event on its way around; `check` says what it is there for."""

    id: str
    check: SelftestCheck


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All findings, and whether each is good."""

    passed: bool
    findings: tuple[SelftestFinding, ...]


async def request(client: Client) -> str:
    """Start a self-test; its instance id."""
    id = f"selftest-{services().now():%Y%m%dT%H%M%S}"
    await client.start_once("selftest", id, Sent(id=id, check=event_check(_places())))
    return id


def _places() -> Places:
    told = services().settings
    return Places(
        rotator=told.rotator_client_id,
        provisioner=told.provisioner_client_id,
        verifier=told.verifier_client_id,
        subscriptions=tuple(told.subscriptions),
        key_vault=told.key_vault_name,
        topic_url=told.event_topic_url,
        store_url=told.store_url,
    )


@app.event_grid_trigger(arg_name="event")
async def on_selftest_event(event: func.EventGridEvent) -> None:
    """Note that an event of the self-test has come back."""
    try:
        id = selftest_sent(envelope_of(event))
    except MeshwardError as error:
        log_declined(error, event.id)
        raise
    await services().ledger.create(TRIED.path(name=id), b"")


@orchestrator(app)
def selftest(run: Runbook, sent: Sent) -> Steps[Report]:
    """The runbook."""
    run.phase("probe")
    plan = yield from run.step(plan_selftest, sent)
    findings = yield from run.steps(*((probe, check) for check in plan.checks))
    event = yield from run.step(send_event, sent)
    if event.passed:
        try:
            event = yield from run.step(await_event, sent, every=SOON, deadline=PATIENCE)
        except DeadlinePassed as late:
            event = finding(sent.check, late.waited)
    return Report(passed=all(one.passed for one in (*findings, event)), findings=(*findings, event))


class Checks(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be tried."""

    checks: tuple[SelftestCheck, ...]


@activity(app)
async def plan_selftest(sent: Sent) -> Checks:  # noqa: ARG001  # activities are called alike
    """The checks: what every installation is asked, and what each root and each cluster is that can be seen."""
    places = _places()
    roots = current_roots(await _seen(services().rotator.key_vault.certificates()))
    clusters = await _seen(services().rotator.clusters.list())
    topics = await _seen(_system_topics())
    keys = [key_check(places, root.certificate) for root in roots]
    vault = subscribed_vault(places, topics)
    return Checks(checks=(*standing_checks(places), *vault, *keys, *cluster_checks(clusters)))


async def _seen[T](listing: Awaitable[list[T]]) -> list[T]:
    try:
        return await listing
    except MeshwardError:
        return []  # checks of their own say why


async def _system_topics() -> list[SystemTopic]:
    told = services().settings
    return [topic for s in told.subscriptions for topic in await services().provisioner.subscriptions.system_topics(s)]


@activity(app)
async def probe(check: SelftestCheck) -> SelftestFinding:
    """Try one thing."""
    try:
        await _PROBES[check.name](check)
    except MeshwardError as error:
        return finding(check, error)
    return finding(check)


@activity(app)
async def send_event(sent: Sent) -> SelftestFinding:
    """Publish an event to our own topic."""
    now = services().now()
    try:
        await services().verifier.events.publish(
            id=sent.id, type=SELFTEST, source="/meshward/selftest", subject=sent.id, time=now, data={}
        )
    except MeshwardError as error:
        return finding(sent.check, error)
    return finding(sent.check)


@activity(app)
async def await_event(sent: Sent) -> SelftestFinding:
    """Wait until it has come back."""
    if await services().ledger.read(TRIED.path(name=sent.id)) is None:
        raise NotConverged("EventLost", "the topic took the event, but no event came back")
    return finding(sent.check)


async def _clusters_of_rotator(_: SelftestCheck) -> None:
    await services().rotator.clusters.list()


async def _clusters_of_provisioner(_: SelftestCheck) -> None:
    await services().provisioner.clusters.list()


async def _clusters_of_verifier(_: SelftestCheck) -> None:
    await services().verifier.clusters.list()


async def _certificates(_: SelftestCheck) -> None:
    await services().rotator.key_vault.certificates()


async def _key(check: SelftestCheck) -> None:
    version, certificate = await services().rotator.key_vault.latest(check.subject)
    await services().rotator.keys.check(check.subject, version, certificate)


async def _clock(_: SelftestCheck) -> None:
    before = services().now()
    told = await services().provisioner.subscriptions.clock(services().settings.subscriptions[0])
    check_clock(told, before, services().now())


async def _providers(check: SelftestCheck) -> None:
    check_registered(check.subject, await services().provisioner.subscriptions.providers(check.subject, PROVIDERS))


async def _cluster_events(check: SelftestCheck) -> None:
    topics = await services().provisioner.subscriptions.system_topics(check.subject)
    about = [topic for topic in topics if topic.of_subscription(check.subject)]
    check_subscribed(about, f"subscription {check.subject}", _named(CLUSTER_EVENTS))


async def _certificate_events(check: SelftestCheck) -> None:
    about = [topic for topic in await _system_topics() if topic.of_vault(check.subject)]
    check_subscribed(about, f"key vault {check.subject}", _named(CERTIFICATE_EVENTS))


def _named(events: str) -> str:
    return f"{services().settings.installation}-{events}"


async def _store(_: SelftestCheck) -> None:
    await services().ledger.create(TRIED.path(name=f"{services().now():%Y%m%dT%H%M%S}"), b"")


async def _cluster_of_rotator(check: SelftestCheck) -> None:
    async with services().rotator.linkerd.mesh(check.subject) as mesh:
        check_permitted("rotator", check.subject, await mesh.missing_permissions())


async def _cluster_of_provisioner(check: SelftestCheck) -> None:
    missing = await services().provisioner.backup_namespaces.missing_permissions(check.subject)
    check_permitted("provisioner", check.subject, missing)


async def _cluster_of_verifier(check: SelftestCheck) -> None:
    check_permitted("verifier", check.subject, await services().verifier.namespaces.missing_permissions(check.subject))


_PROBES: dict[str, Callable[[SelftestCheck], Awaitable[None]]] = {
    "clock": _clock,
    "providers": _providers,
    "cluster events": _cluster_events,
    "certificate events": _certificate_events,
    "clusters as rotator": _clusters_of_rotator,
    "clusters as provisioner": _clusters_of_provisioner,
    "clusters as verifier": _clusters_of_verifier,
    "certificates": _certificates,
    "key": _key,
    "store": _store,
    "cluster as rotator": _cluster_of_rotator,
    "cluster as provisioner": _cluster_of_provisioner,
    "cluster as verifier": _cluster_of_verifier,
}
