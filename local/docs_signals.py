"""docs/signals.md: every line that the app logs, with its fields, and the metrics and alerts that follow from it."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

import msgspec

from local.tables import table
from shared.adapters.azure.telemetry import METRICS
from shared.domain import signals
from shared.domain.restores import signals as of_restores
from shared.domain.signals import Signal
from shared.domain.trust import signals as of_trust
from shared.domain.vaults import signals as of_vaults

INFRA = Path(__file__).parent.parent / "infra"
ROOMS = {"Flows, events and calls": signals, "Trust": of_trust, "Vaults": of_vaults, "Restores": of_restores}
_INTRO = """\
# What the app logs

`make docs` writes this page from the signals in `shared/domain`, the table of metrics and `infra/alerts.json`.

Each log line has a constant message, and typed fields beside it. In Application Insights, the message is `message` in
the table `traces`, and the fields are in `customDimensions`:

```kusto
traces | where message == 'rotation on hold' | project timestamp, tostring(customDimensions.reason)
```

- [reasons.md](reasons.md) explains the words in a field named `reason`. Fields whose names end in `_s` are seconds.
- A metric counts lines, or takes its value from a field. The fields in brackets are its dimensions.
- When an alert fires, a mail goes to the addresses in the parameter `alertMails` ([deploy.md](deploy.md)).
"""
_HEAD = ("message", "level", "what has happened", "fields", "metric", "alert")


def known() -> dict[str, type[Signal]]:
    """Every signal by its message."""
    return {signal.message(): signal for module in ROOMS.values() for signal in _signals(module)}


def fields_of(signal: type[Signal]) -> dict[str, str]:
    """The signal's fields with their types, as people read them."""
    return {field.name: _plain(field.type) for field in msgspec.structs.fields(signal)}


def asked(query: str) -> set[str]:
    """The messages that a query over `traces` looks for."""
    clauses = re.findall(r"message (?:==|in) \(?('[^)|]*')", query)
    return {message for clause in clauses for message in re.findall(r"'([^']+)'", clause)}


def signals_page() -> str:
    """The page."""
    parts = [f"## {room}\n\n{table(_HEAD, map(_row, _signals(module)))}" for room, module in ROOMS.items()]
    return "\n".join([_INTRO, *parts])


def _signals(module: ModuleType) -> Iterator[type[Signal]]:
    for found in vars(module).values():
        if isinstance(found, type) and issubclass(found, Signal) and found.__struct_config__.tag:
            yield found


def _row(signal: type[Signal]) -> Sequence[str]:
    fields = ", ".join(f"`{name}` {type}" for name, type in fields_of(signal).items())
    return f"`{signal.message()}`", signal.level, signal.__doc__ or "", fields, _metrics(signal), _alerts(signal)


def _plain(annotation: object) -> str:
    words = {str: "text", int: "number", float: "number", float | None: "number or none"}
    return words.get(annotation, "list of texts")  # type: ignore[call-overload,no-any-return]


def _metrics(signal: type[Signal]) -> str:
    found = [(metric.name, ", ".join(metric.by)) for metric in METRICS if metric.signal is signal]
    return ", ".join(f"`{name}`" + (f" ({by})" if by else "") for name, by in found)


def _alerts(signal: type[Signal]) -> str:
    alerts = json.loads((INFRA / "alerts.json").read_text())
    return ", ".join(f"`{alert['name']}`" for alert in alerts if signal.message() in asked(alert["query"]))
