"""After a whole run of the tests: exceptions that nothing has met are told, and so is a missing judge.

Each process tells which exceptions it has met; the one that started them has the sum. What isn't met fails no run, as
some of it is met by chance.
"""

from collections.abc import Collection
from typing import Any

import pytest

from tests.oracle.conformance import JudgeMissing, check_judge, open_oracle
from tests.oracle.exceptions import EXCEPTIONS


class Review:
    """A plugin of pytest."""

    def __init__(self) -> None:
        self._excused: set[str] = set()
        self._told: list[str] = []

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A process has ended."""
        self._excused.update(getattr(node, "workeroutput", {}).get("excused", ()))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if open_oracle.cache_info().currsize:
            self._excused |= open_oracle().unrecorded.excused
        if (output := getattr(session.config, "workeroutput", None)) is not None:
            output["excused"] = sorted(self._excused)
            return
        self._told = missing() or (needless(EXCEPTIONS, self._excused) if is_whole(session) else [])

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._told:
            terminalreporter.section("the judge of the simulated Azure")
            terminalreporter.write("".join(f"{line}\n" for line in self._told))


def missing() -> list[str]:
    """What keeps the judge from working here, as a line."""
    try:
        check_judge()
    except JudgeMissing as missing:
        return [f"The simulated Azure wasn't judged: {missing}."]
    return []


def needless(exceptions: Collection[str], excused: Collection[str]) -> list[str]:
    """The exceptions that weren't met, a line each."""
    return [f"No longer needed: {subject}." for subject in sorted(set(exceptions) - set(excused))]


def is_whole(session: pytest.Session) -> bool:
    """Whether all tests ran and passed, so that what wasn't met isn't sent any more."""
    chosen = session.config.args_source is not pytest.Config.ArgsSource.TESTPATHS
    return not (chosen or session.config.option.keyword or session.testsfailed or session.exitstatus)
