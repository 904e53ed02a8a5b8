"""Scripts of infra/ by a stand-in of `az`, which answers each call by its beginning and its subscription."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.worlds.deployments import deployed

INFRA = Path(__file__).parents[2] / "infra"
HOME, OTHER = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
OURS, THEIRS = "meshward-abc123", "meshward-zzz999"
MINE = "99999999-9999-4999-8999-999999999999"
ROLE = "88888888-8888-4888-8888-888888888888"
EVENTS = "/providers/Microsoft.EventGrid/systemTopics"
AZ = """
import json, os, sys
said = " ".join(sys.argv[1:])
for start, subscription, lines in json.loads(os.environ["ANSWERS"]):
    if said.startswith(start) and subscription in said:
        print(*lines, sep="\\n") if lines else None
        break
"""

type Answers = list[tuple[str, str, list[str]]]


def in_group(subscription: str, group: str, rest: str = "") -> str:
    return f"/subscriptions/{subscription}/resourceGroups/{group}{rest}"


def _names() -> dict[str, str]:
    """What Bicep calls everything, with our letters."""
    names = deployed(environmentName="meshward").read("outputs")["MESHWARD_MADE"]["names"]
    letters = names["base"].removeprefix("meshward-")
    return {kind: name.replace(letters, "abc123") for kind, name in names.items()}


GROUP = "rg-meshward"
VAULT = in_group(HOME, GROUP, f"/providers/Microsoft.KeyVault/vaults/kv-{OURS}")
TOPICS = "/providers/Microsoft.EventGrid/systemTopics"
VAULT_TOPIC = in_group(HOME, GROUP, f"{TOPICS}/egst-{OURS}-vault")
FLEET_TOPIC = in_group(OTHER, "rg-platform", f"{TOPICS}/platform")
STRANGE_TOPIC = in_group(OTHER, "rg-data", f"{TOPICS}/data")
ACTIONS = in_group(HOME, GROUP, f"/providers/Microsoft.Insights/actionGroups/ag-{OURS}")
DUTIES = ("host", "rotator", "provisioner", "verifier")
MADE: dict[str, Any] = {
    "names": _names(),
    "principals": {**{duty: f"{duty}-id" for duty in DUTIES}, "topic": "topic-id", "keyVaultTopic": "vault-topic-id"},
    "keyVaultId": VAULT,
    "keyVaultTopicId": VAULT_TOPIC,
    "actionGroupId": ACTIONS,
    "backupResourceGroup": "rg-meshward-backup",
    "scheduled": False,
}


def at_home() -> Answers:
    """An installation called meshward, with nothing but a function app and an identity in its group."""
    return [
        ("account show", "", [HOME]),
        ("group exists", HOME, ["true"]),
        ("resource list", "--query [].name", [f"func-{OURS}", f"id-{OURS}-host"]),
        ("identity list", HOME, [MINE]),
        ("cloud show", "", ["https://graph/"]),
    ]


def installed(folder: Path) -> Path:
    """The folder, with the stand-in in it."""
    (folder / "az.py").write_text(AZ)
    az = folder / "az"
    az.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{folder}/az.py" "$@"\n')
    az.chmod(0o755)
    return folder


def ran(tools: Path, answers: Answers, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    script, *arguments = command or ("made.sh",)
    said = {"AZURE_ENV_NAME": "meshward", "MESHWARD_SUBSCRIPTION_IDS": f"{HOME},{OTHER}", **environ}
    return subprocess.run(
        [INFRA / script, *arguments],
        env={"PATH": f"{tools}:{os.environ['PATH']}", "PYTHON": sys.executable, "ANSWERS": json.dumps(answers), **said},
        capture_output=True,
        text=True,
        check=False,
    )


def there() -> Answers:
    """What Azure has of the installation that MADE tells of."""
    return [
        ("account show", "", [HOME]),
        ("identity list", HOME, [f"identity\tid-{OURS}-{duty}\t{duty}-id" for duty in DUTIES]),
        (
            "eventgrid topic list",
            HOME,
            [
                f"topic\t{in_group(HOME, GROUP, f'/providers/Microsoft.EventGrid/topics/evgt-{OURS}')}\ttopic-id",
                f"topic\t{in_group(HOME, 'rg-x', '/providers/Microsoft.EventGrid/topics/x')}\tstrange-id",
            ],
        ),
        (
            "eventgrid system-topic list",
            f"{HOME} --output tsv --query",
            [f"systemTopic\t{VAULT_TOPIC}\tvault-topic-id\t{VAULT}"],
        ),
        (
            "eventgrid system-topic list",
            f"{OTHER} --output tsv --query",
            [
                f"systemTopic\t{FLEET_TOPIC}\tfleet-topic-id\t/subscriptions/{OTHER}",
                f"systemTopic\t{STRANGE_TOPIC}\tdata-topic-id\t{in_group(OTHER, 'rg-data', '/providers/p/accounts/x')}",
            ],
        ),
        ("functionapp show", "", ["/app"]),
        ("functionapp function list", "", ["99"]),
        ("deployment sub create", "", ["deployed"]),
    ]


def note_calls(tools: Path) -> None:
    """Let the stand-in write down what it is asked, in the file `asked`."""
    az = tools / "az"
    az.write_text(az.read_text().replace("exec", f'echo "$*" >>"{tools}/asked"\nexec', 1))
