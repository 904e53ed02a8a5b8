"""Programs beside the tests: none outlives its block, and one that doesn't come up says why."""

import shutil
from pathlib import Path

import pytest

from tests.real.programs import NotReady, running, until

SHELL = Path(shutil.which("sh") or "sh")


async def _never() -> bool:
    return False


async def test_a_program_that_ends_early_says_what_it_printed(tmp_path: Path) -> None:
    async with running(SHELL, tmp_path, "-c", "echo no such flag; exit 3") as program:
        with pytest.raises(NotReady, match=r"sh ended with 3:\nno such flag"):
            await until(_never, program)


async def test_every_program_ends_with_its_block(tmp_path: Path) -> None:
    async def started() -> bool:
        return (tmp_path / "started").exists()

    async with running(SHELL, tmp_path, "-c", "trap '' TERM; touch started; while :; do sleep 1; done") as program:
        await until(started, program)
    assert program.state.startswith("ended with -9")
