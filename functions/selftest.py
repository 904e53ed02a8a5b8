"""Says what a deployment lacks, and the command that repairs it.

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
from functions.engine.durable import DeadlinePassed, Runbook, Steps, orchestrator
from functions.engine.incoming import declined_if_refused, envelope_of
from functions.engine.many import one_of_many
from functions.trust.roots import all_lineages, refused_roots, roots_seen
from shared.domain.admission import AllowList, Fleet
from shared.domain.cluster import MESH_TAG, PROTECT_TAG, TRUST_DOMAIN_TAG, require_readable
from shared.domain.errors import MeshwardError, NotConverged
from shared.domain.events import SELFTEST, selftest_sent
from shared.domain.resource_id import same
from shared.domain.restores.refusals import require_refused
from shared.domain.selftest import (
    CERTIFICATE_EVENTS,
    CLUSTER_EVENTS,
    PROVIDERS,
    TRIED,
    SelftestCheck,
    SelftestFinding,
    SelftestSettings,
    SystemTopic,
    checks_of,
    event_check,
    finding,
    require_permitted,
    require_registered,
    require_same_clock,
    require_subscribed,
)
from shared.domain.trust.admission import require_none_refused
from shared.domain.trust.roots import current_roots
from shared.wiring import services

app = df.Blueprint()

POLL_INTERVAL = timedelta(seconds=10)
EVENT_DEADLINE = timedelta(minutes=5)


class SelftestEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that has to come back; `check` says what that proves."""

    id: str
    check: SelftestCheck


class SelftestReport(msgspec.Struct, frozen=True, kw_only=True):
    """All findings, and whether each is good."""

    passed: bool
    findings: tuple[SelftestFinding, ...]


async def request(client: Client) -> str:
    """Start a self-test; its instance id."""
    id = f"selftest-{services().now():%Y%m%dT%H%M%S}"
    await client.start_once("selftest", id, SelftestEvent(id=id, check=event_check(_settings())))
    return id


def _settings() -> SelftestSettings:
    return msgspec.convert(services().settings, SelftestSettings, from_attributes=True)


@app.event_grid_trigger(arg_name="event")
async def on_selftest_event(event: func.EventGridEvent) -> None:
    """Note that an event of the self-test has come back."""
    with declined_if_refused(event.id):
        id = selftest_sent(envelope_of(event))
    await services().ledger.create(TRIED.path(name=id), b"")


@orchestrator(app)
def selftest(run: Runbook, sent: SelftestEvent) -> Steps[SelftestReport]:
    """The runbook."""
    run.phase("probe")
    checks = yield from run.step(plan_selftest, sent)
    findings = yield from run.steps(*((probe, check) for check in checks))
    event = yield from run.step(send_event, sent)
    if event.passed:
        try:
            event = yield from run.step(await_event, sent, every=POLL_INTERVAL, deadline=EVENT_DEADLINE)
        except DeadlinePassed as late:
            event = finding(sent.check, late.waited)
    return SelftestReport(passed=all(one.passed for one in (*findings, event)), findings=(*findings, event))


@activity(app)
async def plan_selftest(sent: SelftestEvent) -> list[SelftestCheck]:  # noqa: ARG001  # activities are called alike
    """The checks: what every installation is asked, and what each root and each cluster is that can be seen."""
    roots = current_roots(await _seen(all_lineages()))
    return checks_of(_settings(), await _seen(_system_topics()), [root.certificate for root in roots], await _fleet())


async def _fleet() -> Fleet:
    """The clusters that are seen; none where the policy document doesn't say who of them may be contacted."""
    try:
        return await services().rotator.fleet()
    except MeshwardError:
        return Fleet([], AllowList({}))


async def _seen[T](listing: Awaitable[list[T]]) -> list[T]:
    try:
        return await listing
    except MeshwardError:
        return []  # checks of their own say why


async def _system_topics() -> list[SystemTopic]:
    fleet = services().settings.subscriptions
    return [topic for s in fleet for topic in await services().provisioner.subscriptions.system_topics(s)]


@activity(app)
async def probe(check: SelftestCheck) -> SelftestFinding:
    """Try one thing."""
    return await _tried(check, _PROBES[check.name](check))


async def _tried(check: SelftestCheck, trial: Awaitable[object]) -> SelftestFinding:
    try:
        with one_of_many(f"{check.name} {check.subject}"):
            await trial
    except MeshwardError as error:
        return finding(check, error)
    return finding(check)


@activity(app)
async def send_event(sent: SelftestEvent) -> SelftestFinding:
    """Publish an event to our own topic."""
    id, now = sent.id, services().now()
    sending = services().verifier.events.publish(
        id=id, type=SELFTEST, source="/meshward/selftest", subject=id, time=now, data={}
    )
    return await _tried(sent.check, sending)


@activity(app)
async def await_event(sent: SelftestEvent) -> SelftestFinding:
    """Wait until it has come back."""
    if await services().ledger.read(TRIED.path(name=sent.id)) is None:
        raise NotConverged("EventLost", "the topic accepted the event, but the app didn't receive it")
    return finding(sent.check)


async def _key(check: SelftestCheck) -> None:
    vault = services().rotator.key_vault
    root = next(root for root in current_roots(await all_lineages()) if same(root.certificate, check.subject))
    await vault.require_signing_key(
        root.certificate, root.version, await vault.certificate(root.certificate, root.version)
    )


async def _roots(_: SelftestCheck) -> None:
    seen = await roots_seen()
    require_none_refused(await refused_roots(seen), seen.broken)


async def _clock(_: SelftestCheck) -> None:
    before = services().now()
    azure = await services().provisioner.subscriptions.clock(services().settings.subscriptions[0])
    require_same_clock(azure, before, services().now())


async def _providers(check: SelftestCheck) -> None:
    require_registered(check.subject, await services().provisioner.subscriptions.providers(check.subject, PROVIDERS))


async def _cluster_events(check: SelftestCheck) -> None:
    topics = await services().provisioner.subscriptions.system_topics(check.subject)
    own = [topic for topic in topics if topic.of_subscription(check.subject)]
    require_subscribed(own, f"subscription {check.subject}", _named(CLUSTER_EVENTS))


async def _certificate_events(check: SelftestCheck) -> None:
    own = [topic for topic in await _system_topics() if topic.of_vault(check.subject)]
    require_subscribed(own, f"key vault {check.subject}", _named(CERTIFICATE_EVENTS))


def _named(events: str) -> str:
    return f"{services().settings.installation}-{events}"


async def _store(_: SelftestCheck) -> None:
    await services().ledger.create(TRIED.path(name=f"{services().now():%Y%m%dT%H%M%S}"), b"")


async def _evidence(_: SelftestCheck) -> None:
    await services().evidence.read(TRIED.path(name="evidence"))  # what was written there could never be removed


async def _admission(check: SelftestCheck) -> None:
    (await services().allow_list()).member(check.trust_domain, check.subject)


async def _tags(check: SelftestCheck) -> None:
    cluster = await services().provisioner.clusters.get(check.subject)
    if cluster:
        require_readable(cluster, PROTECT_TAG, MESH_TAG, TRUST_DOMAIN_TAG)


async def _cluster_of_rotator(check: SelftestCheck) -> None:
    async with services().rotator.linkerd.mesh(check.subject, check.trust_domain) as mesh:
        require_permitted("rotator", check.subject, await mesh.missing_permissions())


async def _cluster_of_provisioner(check: SelftestCheck) -> None:
    namespaces = services().provisioner.backup_namespaces
    missing = await namespaces.missing_permissions(check.subject, check.trust_domain)
    require_permitted("provisioner", check.subject, missing)


async def _cluster_of_verifier(check: SelftestCheck) -> None:
    namespaces, world = services().verifier.namespaces, services()
    missing = await namespaces.missing_permissions(check.subject, check.trust_domain)
    require_permitted("verifier", check.subject, missing)
    image = (await world.policy()).at().verify.probe_image
    require_refused(check.subject, await namespaces.unproven(check.subject, check.trust_domain, image))


_PROBES: dict[str, Callable[[SelftestCheck], Awaitable[object]]] = {
    "clock": _clock,
    "providers": _providers,
    "cluster events": _cluster_events,
    "certificate events": _certificate_events,
    "clusters as rotator": lambda _: services().rotator.clusters.list(),
    "clusters as provisioner": lambda _: services().provisioner.clusters.list(),
    "clusters as verifier": lambda _: services().verifier.clusters.list(),
    "certificates": lambda _: services().rotator.key_vault.certificates(),
    "key": _key,
    "roots": _roots,
    "store": _store,
    "evidence": _evidence,
    "admission": _admission,
    "tags": _tags,
    "policy": lambda _: services().policy(),
    "cluster as rotator": _cluster_of_rotator,
    "cluster as provisioner": _cluster_of_provisioner,
    "cluster as verifier": _cluster_of_verifier,
}
