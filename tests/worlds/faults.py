"""Faults that strike each activity of a flow as it first begins."""

import json
from collections.abc import Callable, Collection, Mapping
from types import ModuleType

from functions.engine.activities import Activity
from local.cloud.wire import InjectedFault, Reply
from local.host.process import Moment
from local.stage import RunningApp

FAULTS: dict[str, Callable[[str], InjectedFault]] = {
    "throttled": lambda on: InjectedFault(on, "answer", 2, Reply(status=429, headers={"Retry-After": "7"})),
    "broken": lambda on: InjectedFault(on, "answer", 2, Reply(status=500)),
    "done but denied": lambda on: InjectedFault(on, "after", 2),
    "answer lost": lambda on: InjectedFault(on, "lose", 2),
    "doubled": lambda on: InjectedFault(on, "double", 2),
}


def activity(row: str) -> str:
    """The activity that a row of a table is about."""
    return row.partition(":")[0]


def registered(*modules: ModuleType) -> set[str]:
    """The activities that these modules define."""
    return {
        name
        for module in modules
        for name, found in vars(module).items()
        if isinstance(found, Activity) and found.work.__module__ == module.__name__
    }


class Striking:
    """Injects the fault of each row as its activity first begins; `met` are those that have met it."""

    def __init__(self, stage: RunningApp, fault: Callable[[str], InjectedFault], requests: Mapping[str, str]) -> None:
        self._stage, self._fault = stage, fault
        self._requests = {row: on for row, on in requests.items() if on}
        self._injected: dict[str, InjectedFault] = {}
        stage.host.on_invocation(self)

    def __call__(self, function: str, moment: Moment) -> None:
        for row in self._requests.keys() - self._injected.keys():
            if moment == "before" and activity(row) == function:
                self._injected[row] = self._stage.world.wire.inject(self._fault(self._requests[row]))

    @property
    def met(self) -> set[str]:
        return {row for row, fault in self._injected.items() if fault.times < self._fault("").times}


def losing(stage: RunningApp, rows: Collection[str], *, killed: bool) -> set[str]:
    """Lose the first answer about each of these rows, perhaps with its worker; those that this has come to.

    What stands behind an activity's name is a field of its request, or the kind of what a field holds.
    """
    struck = set[str]()

    def strike(function: str, moment: Moment) -> bool:
        if moment == "before":
            return False
        about = {row for row in rows if activity(row) == function and _detail(row) in _fields(stage)}
        if about <= struck:
            return False
        struck.update(about)
        if killed:
            stage.host.kill_worker()
        return True

    stage.host.on_invocation(strike)
    return struck


def _detail(row: str) -> str:
    return row.partition(": ")[2]


def _fields(stage: RunningApp) -> set[str]:
    """What the request under way has in its fields; and the empty text, as a row without a detail is about each."""
    (request,) = (json.loads(str(value.content)) for value in stage.host.inputs.values())
    kinds = (field.get("kind") if isinstance(field, dict) else field for field in request.values())
    return {kind for kind in kinds if isinstance(kind, str)} | {""}
