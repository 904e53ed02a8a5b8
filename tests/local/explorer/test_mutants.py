"""Without any of its moves, steps, facts of phases or rules, the app breaks a promise that the search sees."""

import pytest

from local.explorer.mutants import mutants


@pytest.mark.parametrize("name", mutants())
def test_the_search_sees_what_breaks_without_it(name: str) -> None:
    assert mutants()[name].story()[-1].startswith("BROKEN: ")


def test_there_are_mutants_of_every_kind() -> None:
    assert len(mutants()) >= 60
