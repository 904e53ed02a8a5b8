"""checkov over what infra/ deploys. It can't read this Bicep, so it judges the evaluated resources."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from local.stage import APP, INFRA
from tests.infra.evaluated import template
from tests.worlds.deployments import PRIVATE, VERIFIED, deployed, granted, subscribed

CHECKOV = APP / ".cache" / "checkov" / "bin" / "checkov"
SKIPPED = set(re.findall(r"- (CKV_\w+) +# \w+", (INFRA / "checkov.yaml").read_text()))


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The checks that fail, with a resource that each fails for."""
    if not CHECKOV.is_file():
        pytest.skip("there is no checkov: make test-azure installs it")
    folder = tmp_path_factory.mktemp("templates")
    verified = [{"kind": kind, "id": id} for kind, id in VERIFIED.items()]
    public = template(deployed(alertMails=["a@contoso.example"]), granted(verified=verified), subscribed())
    (folder / "public.json").write_text(json.dumps(public))
    (folder / "private.json").write_text(
        json.dumps(template(deployed(**PRIVATE, durableBackend="DurableTaskScheduler")))
    )
    return failures(folder)


def failures(folder: Path) -> dict[str, str]:
    command = [str(CHECKOV), "--framework", "arm", "--directory", str(folder), "--skip-download", "--output", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["summary"]["parsing_errors"] == 0
    assert found["summary"]["passed"] > 50
    return {each["check_id"]: f"{each['check_name']}: {each['resource']}" for each in found["results"]["failed_checks"]}


def test_every_check_that_fails_is_skipped_with_a_reason(failed: dict[str, str]) -> None:
    assert {id: what for id, what in failed.items() if id not in SKIPPED} == {}


def test_every_check_that_is_skipped_fails(failed: dict[str, str]) -> None:
    assert failed.keys() >= SKIPPED
