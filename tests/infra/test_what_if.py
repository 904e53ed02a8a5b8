"""What-if shows everything that a rollout makes: no module is named by what only the deployment will know."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from local.stage import INFRA
from tests.infra.what_if import short_circuits

PARAMS = "param name string\nparam size string\n"
INNER = PARAMS + "resource it 'Microsoft.Storage/storageAccounts@2025-06-01' = {{\n  name: {0}\n}}\n"
OUTER = """
module made 'inner.bicep' = {
  params: { name: 'a', size: 'b' }
}
module other 'outer.bicep' = {
  params: { name: %s, size: made.outputs.size }
}
"""


@pytest.mark.parametrize("name", ["name", "guid('x', name)", "'st${name}'"])
@pytest.mark.parametrize("given", ["made.outputs.name", "made.outputs.all.name", "guid(made.outputs.name)"])
def test_a_name_that_an_output_gives_is_found_through_modules(tmp_path: Path, name: str, given: str) -> None:
    (tmp_path / "inner.bicep").write_text(INNER.format(name))
    passed = "module inner 'inner.bicep' = {\n  params: { name: all.it, size: size }\n}\n"
    (tmp_path / "outer.bicep").write_text(f"{PARAMS}var all = {{ it: name }}\n{passed}")
    (tmp_path / "main.bicep").write_text(OUTER % given)
    (found,) = short_circuits(tmp_path / "main.bicep")
    assert found == "main.bicep: other is named by name, which is module outputs"
    (tmp_path / "main.bicep").write_text(OUTER % "'known'")
    assert list(short_circuits(tmp_path / "main.bicep")) == []


@pytest.mark.parametrize("file", sorted(INFRA.rglob("*.bicep")), ids=lambda file: str(file.relative_to(INFRA)))
def test_no_module_is_left_out_by_what_if(file: Path) -> None:
    assert list(short_circuits(file)) == []


def test_the_compilers_own_rule_is_on() -> None:
    rules = json.loads((INFRA / "bicepconfig.json").read_text())["analyzers"]["core"]["rules"]
    assert rules["what-if-short-circuiting"] == {"level": "error"}


AZ = """#!/bin/sh
echo "$*" >>"$ASKED"
case "$*" in
  "account show "*) echo 11111111-1111-4111-8111-111111111111 ;;
  "version "*) echo 2.91.0 ;;
  "keyvault list-deleted "*) printf 'westeurope\\t/subscriptions/s/resourceGroups/RG-mw/x/p/vaults/kv-mw-1a2b3c\\n' ;;
  "deployment sub what-if "*) printf '%s with %s\n' "$*" "${MESHWARD_MADE:-nothing}"
    echo "for $AZURE_ENV_NAME in $AZURE_LOCATION, $MESHWARD_VAULT_STATE" ;;
  "deployment sub list "*"'meshward-mw-westeurope'"*) [ ! -e "$OUTPUTS" ] || echo it; exit $LISTED ;;
  "deployment sub show "*) cat "$OUTPUTS" ;;
esac
"""
OUTPUTS: dict[str, dict[str, Any]] = {
    "meshwarD_MADE": {"value": {"names": {}}},
    "meshwarD_TOPIC_PRINCIPALS": {"value": []},
}


def gate(tmp_path: Path, there: bool, **environ: str) -> subprocess.CompletedProcess[str]:
    """What somebody is shown who is to agree to a rollout."""
    program, outputs = tmp_path / "az", tmp_path / "outputs.json"
    program.write_text(AZ)
    program.chmod(0o755)
    if there:
        outputs.write_text(json.dumps(OUTPUTS))
    given = {
        "AZURE_ENV_NAME": "MW",
        "AZURE_LOCATION": "West Europe",
        "AZURE_SUBSCRIPTION_ID": "11111111-1111-4111-8111-111111111111",
        "MESHWARD_AUDIENCE": "a",
    }
    files = {"OUTPUTS": str(outputs), "ASKED": str(tmp_path / "asked"), "MESHWARD_EVIDENCE_DAYS": "400"}
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "LISTED": "0"}
    environ = {**os.environ, **given, **files, **path, **environ}
    return subprocess.run([INFRA / "what-if.sh"], env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("there", [True, False])
def test_the_gate_shows_all_three_templates_once_there_are_identities(tmp_path: Path, there: bool) -> None:
    run = gate(tmp_path, there)
    told = run.stdout
    assert (run.returncode, run.stderr) == (0, "")
    shown = re.findall(r"--template-file infra/(\w+)\.bicep.* with (.*)", told)
    made = json.dumps(OUTPUTS["meshwarD_MADE"]["value"])
    assert shown == [("main", "nothing"), *((name, made) for name in ("roles", "events") if there)]
    assert ("can be shown once" in told) is not there
    assert told.count("for mw in westeurope, Deleted") == len(shown)
    asked = (tmp_path / "asked").read_text()
    assert not re.search("provider register|immutability-policy (lock|extend)|sub create", asked)
    assert asked.count("--validation-level ProviderNoRbac") == len(shown)  # for an identity that only reads


def test_the_gate_does_not_open_if_it_could_not_look_for_what_it_would_show(tmp_path: Path) -> None:
    run = gate(tmp_path, False, LISTED="1")
    assert (run.returncode, "can be shown once" in run.stdout) == (1, False)
