"""Sends what the app logs, and the metrics that follow from it, to Application Insights.

Rules:
- A metric follows from a signal: `METRICS` has them all, and nothing is counted that isn't logged.
- Nothing is read, imported or sent before the first line; nothing at all without APPLICATIONINSIGHTS_CONNECTION_STRING.
- Batches are sent by a thread, as the identity that APPLICATIONINSIGHTS_AUTHENTICATION_STRING names: the host's own.
- A line that can't be sent is lost: no flow waits for its telemetry.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from shared.domain.restores.signals import RestoreNotVerified, RestoreVerified
from shared.domain.signals import EventDeclined, Signal, StepRefused
from shared.domain.trust.signals import IssuerLookedAt, RootLookedAt, RotationOnHold
from shared.domain.vaults.signals import CensusTaken

if TYPE_CHECKING:
    from azure.monitor.opentelemetry.exporter import AzureMonitorLogExporter
    from opentelemetry._logs import Logger
    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.util.types import Attributes

Fields = Mapping[str, Any]


class Metric(NamedTuple):
    """A metric that follows from the lines of a signal."""

    signal: type[Signal]  # whose lines it is made of
    name: str  # in Application Insights
    kind: Literal["gauge", "counter"]  # a gauge has the last value, a counter the sum
    value: Callable[[Fields], float] = lambda _: 1  # of a line, by its fields
    by: tuple[str, ...] = ()  # the fields that are the metric's dimensions


METRICS = (
    Metric(RootLookedAt, "meshward.root.days_to_expiry", "gauge", lambda fields: fields["days_left"], ("certificate",)),
    Metric(IssuerLookedAt, "meshward.issuer.hours_left", "gauge", lambda fields: fields["hours_left"], ("cluster",)),
    Metric(RotationOnHold, "meshward.rotations.held", "counter", by=("trust_domain", "reason")),
    Metric(
        CensusTaken, "meshward.clusters.unprotected", "gauge", lambda fields: fields["clusters"] - fields["protected"]
    ),
    Metric(RestoreVerified, "meshward.verifications.passed", "counter"),
    Metric(RestoreNotVerified, "meshward.verifications.failed", "counter", by=("verdict",)),
    Metric(StepRefused, "meshward.steps.refused", "counter", by=("step", "reason")),
    Metric(EventDeclined, "meshward.events.declined", "counter", by=("reason",)),
)
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Telemetry(logging.Handler):
    """Sends the lines of a logger, their extra fields as dimensions, and what `METRICS` makes of them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__()
        self._environ = environ

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if self._logger:
                self._send(self._logger, record)
        except Exception:
            self.handleError(record)

    @cached_property
    def _logger(self) -> "Logger | None":
        connection = self._environ.get("APPLICATIONINSIGHTS_CONNECTION_STRING")
        return _logger(connection, self._environ.get("WEBSITE_SITE_NAME", "meshward")) if connection else None

    def _send(self, logger: "Logger", record: logging.LogRecord) -> None:
        from opentelemetry._logs import SeverityNumber

        fields = {name: _dimension(value) for name, value in vars(record).items() if name not in _OWN}
        logger.emit(
            timestamp=int(record.created * 1e9),
            severity_number=SeverityNumber.WARN if record.levelno >= logging.WARNING else SeverityNumber.INFO,
            severity_text=record.levelname,
            body=record.getMessage(),
            attributes=fields,
        )


def _logger(connection: str, app: str) -> "Logger":
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource

    provider = LoggerProvider(resource=Resource({SERVICE_NAME: app}))
    exporter = cast("LogRecordExporter", _Exporter(connection, provider.resource))
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    return provider.get_logger("meshward")


def _dimension(value: object) -> str | int | float | bool:
    """A field as a dimension: sequences as text, joined by commas."""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return value if isinstance(value, (str, int, float, bool)) else str(value)


class _Exporter:
    """A LogRecordExporter that imports and builds what takes long in the thread that exports."""

    def __init__(self, connection: str, resource: "Resource") -> None:
        self._connection, self._resource = connection, resource

    def export(self, batch: "Sequence[ReadableLogRecord]") -> "LogRecordExportResult":
        for line in batch:
            self._measure(line)
        return self._lines.export(batch)

    def shutdown(self) -> None:
        self._meters.shutdown()

    def force_flush(self, timeout_millis: int = 10_000) -> bool:
        return self._meters.force_flush(timeout_millis)

    @cached_property
    def _lines(self) -> "AzureMonitorLogExporter":
        from azure.monitor.opentelemetry.exporter import AzureMonitorLogExporter

        return AzureMonitorLogExporter(connection_string=self._connection, disable_offline_storage=True)

    @cached_property
    def _meters(self) -> "MeterProvider":
        from azure.monitor.opentelemetry.exporter import AzureMonitorMetricExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

        exporter = AzureMonitorMetricExporter(connection_string=self._connection, disable_offline_storage=True)
        return MeterProvider([PeriodicExportingMetricReader(exporter)], resource=self._resource)

    @cached_property
    def _recorders(self) -> "dict[str, Callable[[float, Attributes], None]]":
        """What takes a value of each metric, by its name."""
        meter = self._meters.get_meter("meshward")
        return {
            metric.name: meter.create_gauge(metric.name).set
            if metric.kind == "gauge"
            else meter.create_counter(metric.name).add
            for metric in METRICS
        }

    def _measure(self, line: "ReadableLogRecord") -> None:
        fields: Fields = line.log_record.attributes or {}
        for metric in METRICS:
            if metric.signal.message() == line.log_record.body:
                self._recorders[metric.name](metric.value(fields), {name: fields[name] for name in metric.by})
