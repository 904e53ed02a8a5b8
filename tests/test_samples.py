import json
from fnmatch import fnmatch
from pathlib import Path

import msgspec

from shared.settings import Settings

ROOT = Path(__file__).parents[1]


def test_the_settings_sample_holds_every_setting_without_a_default_and_no_unknown_one() -> None:
    values = json.loads((ROOT / "local.settings.sample.json").read_text())["Values"]
    named = {name.removeprefix("MESHWARD_").lower() for name in values if name.startswith("MESHWARD_")}
    fields = msgspec.structs.fields(Settings)
    assert {f.name for f in fields if f.required} <= named <= {f.name for f in fields}


def test_a_deployment_leaves_out_what_is_only_for_contributors() -> None:
    ignored = (ROOT / ".funcignore").read_text().split()
    assert {"local", "tests", "infra", "requirements-dev.txt"} <= set(ignored)
    rooms = [*(ROOT / "functions").rglob("*.py"), *(ROOT / "shared").rglob("*.py")]
    deployed = ["function_app.py", "host.json", "requirements.txt", *(str(file.relative_to(ROOT)) for file in rooms)]
    assert [path for path in deployed if left_out(path, ignored)] == []


def left_out(path: str, ignored: list[str]) -> bool:
    """As azd reads the patterns, at every depth, or as Core Tools once did, by how a path begins."""
    return any(path.startswith(each) or any(fnmatch(name, each) for name in path.split("/")) for each in ignored)
