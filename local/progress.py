"""Shows running flows: a line for each change of phase or reason, and a bar per cluster for restarts."""

import re
import time
from dataclasses import dataclass, field
from textwrap import shorten
from types import TracebackType
from typing import Any, Self

from rich import progress
from rich.console import Console

from local import scenario
from local.host.durable import OrchestrationState
from local.stage import RunningApp

FLOWS = ("rotate_trust_root", "protect_cluster", "verify_restore")
_CHILD_FLOWS = ("rotate_member", "renew_issuer", "attempt")  # shown while they wait for something
_NO_FACTS = ("phase", "step", "reason", "message", "waiting", "held")
_PATH = r"/subscriptions/\S*/"  # a resource's name says enough
_WIDTH = 110  # a list of pods would fill pages


@dataclass
class Timing:
    """When an instance was first seen and when it ended, in seconds of real time."""

    began: float = field(default_factory=time.perf_counter)
    ended: float | None = None

    @property
    def wall_s(self) -> float:
        return round((self.ended or time.perf_counter()) - self.began, 2)


class Progress:
    """Lines on the console while the block runs; `timings` by instance id."""

    def __init__(self, console: Console, stage: RunningApp) -> None:
        self.timings: dict[str, Timing] = {}
        self._stage, self._console = stage, console
        self._start = stage.clock.time()
        self._last: dict[str, str] = {}
        self._old_roots = stage.world.linkerd.roots(scenario.TRUST_DOMAIN)
        columns = (progress.TextColumn("{task.description}"), progress.BarColumn(), progress.MofNCompleteColumn())
        self._bars = progress.Progress(*columns, console=console, transient=True)
        self._tasks = {
            name: self._bars.add_task(f"{name}: proxies that trust the new root")
            for name in stage.world.linkerd.control_planes
        }
        stage.host.on_change(self._changed)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def _changed(self, instance: OrchestrationState) -> None:
        timing = self.timings.setdefault(instance.id, Timing())
        if instance.ended and timing.ended is None:
            timing.ended = time.perf_counter()
        self._move_bars()
        line = f"{instance.name:<18} {_line(instance)}"
        source = instance.id if instance.name in FLOWS else line  # a child flow starts again with the same line
        if _is_shown(instance) and line != self._last.get(source):
            self._last[source] = line
            self.say(line)
            for change in (instance.custom_status or {}).get("changes", ()):
                self.say(f"{'':<18} - {re.sub(_PATH, '', change)}")

    def say(self, line: str) -> None:
        """Print a line with the virtual time before it."""
        self._console.print(f"{self._virtual()}  {line}", highlight=False, soft_wrap=True, markup=False)

    def _move_bars(self) -> None:
        for name, task in self._tasks.items():
            live = [p for p in self._stage.world.linkerd.proxies(scenario.TRUST_DOMAIN) if p.cluster == name]
            moved = sum(bool(p.roots - self._old_roots) for p in live)
            self._bars.update(task, total=len(live), completed=moved)

    def _virtual(self) -> str:
        minutes, seconds = divmod(int(self._stage.clock.time() - self._start), 60)
        return f"+{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"


def _is_shown(instance: OrchestrationState) -> bool:
    waits = "reason" in (instance.custom_status or {}) and not instance.ended
    return instance.name in FLOWS or (instance.name in _CHILD_FLOWS and waits)


def _line(instance: OrchestrationState) -> str:
    if instance.ended:
        return f"{instance.status} {instance.failure or ''}".rstrip()
    status: dict[str, Any] = instance.custom_status or {}
    if held := status.get("held"):
        return shorten(f"{status['phase']} ON HOLD: {held['reason']}: {held['message']}", _WIDTH, placeholder=" …")
    facts = ", ".join(f"{name} {_brief(value)}" for name, value in status.items() if value and name not in _NO_FACTS)
    waits = f" … {status['reason']}: {status['message']}" if "reason" in status else f"  [{facts}]" if facts else ""
    return shorten(f"{status.get('phase', 'starting')}{waits}", _WIDTH, placeholder=" …")


def _brief(fact: Any) -> str:
    """A fact in a word: the name of a resource, the number of items of a list."""
    return str(len(fact)) if isinstance(fact, list) else str(fact).rpartition("/")[2]
