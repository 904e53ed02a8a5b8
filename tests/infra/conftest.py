"""The stand-in of `az` that scripts find first."""

from pathlib import Path

import pytest

from tests.worlds.rollout_scripts import installed


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    return installed(tmp_path)
