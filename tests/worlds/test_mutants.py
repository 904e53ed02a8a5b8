"""A mutant is another app than the real one, everywhere in it, or it is refused."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shared.domain.trust.phases import Phase
from tests.worlds.mutants import Mutant

GET_ALONG = "shared.domain.trust.phases.compatible"
ASKED = "import function_app; from shared.domain.trust import rounds; print(rounds.compatible('settle', 'retire'))"


def never(real: Any, one: Phase, other: Phase) -> Any:
    return f"{Phase(one).name} and {Phase(other).name} don't, whatever {real.__name__} says"


def told(app: Path) -> str:
    """What a module says that imports the function by name."""
    return subprocess.run([sys.executable, "-c", ASKED], cwd=app, capture_output=True, text=True, check=True).stdout


def test_whoever_imports_what_is_replaced_gets_the_other(tmp_path: Path) -> None:
    assert told(Mutant(GET_ALONG, never).grow(tmp_path)) == "SETTLE and RETIRE don't, whatever compatible says\n"


def test_one_part_of_the_app_replaces_another(tmp_path: Path) -> None:
    mutant = Mutant(GET_ALONG, "shared.domain.trust.moves.mode_after")
    assert told(mutant.grow(tmp_path)) == "retire\n"


@pytest.mark.parametrize("name", [f"{GET_ALONG}_well", "shared.domain.trust.faces.compatible"])
def test_what_is_not_there_can_t_be_replaced(name: str, tmp_path: Path) -> None:
    with pytest.raises((AttributeError, ModuleNotFoundError)):
        Mutant(name, never).grow(tmp_path)


def test_unchanged_code_is_no_mutant(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="changes nothing"):
        Mutant(GET_ALONG, "shared.domain.trust.rounds.compatible").grow(tmp_path)


def test_code_of_a_test_alone_can_t_be_put_into_the_app(tmp_path: Path) -> None:
    def by(real: Any, one: Phase, other: Phase) -> Any:
        return tmp_path

    def uses_a_helper(real: Any, one: Phase, other: Phase) -> Any:
        return told(Path())

    for function in (by, uses_a_helper):
        with pytest.raises(AssertionError, match="only there in its test"):
            Mutant(GET_ALONG, function).grow(tmp_path)
