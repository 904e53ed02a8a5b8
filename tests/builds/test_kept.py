"""What is built once for every clone: once for the same makings, anew for others, and never half."""

from pathlib import Path

import pytest

from tests.builds.kept import kept


class Builder:
    """Counts how often it builds."""

    def __init__(self, *, breaks: bool = False) -> None:
        self.built, self.breaks = 0, breaks

    def __call__(self, into: Path) -> None:
        self.built += 1
        (into / "program").write_text("half of it")
        if self.breaks:
            raise ValueError
        (into / "program").write_text("all of it")


def test_the_same_makings_are_built_once_and_others_anew(tmp_path: Path) -> None:
    build = Builder()
    first, again, other = (kept("server", [pins], build, tmp_path) for pins in (b"1.0", b"1.0", b"1.1"))
    assert first == again != other
    assert build.built == 2
    assert (first / "program").read_text() == (other / "program").read_text() == "all of it"


def test_a_build_that_breaks_off_is_built_again(tmp_path: Path) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the builder's own
        kept("server", [b"1.0"], Builder(breaks=True), tmp_path)
    again = Builder()
    assert (kept("server", [b"1.0"], again, tmp_path) / "program").read_text() == "all of it"
    assert again.built == 1
