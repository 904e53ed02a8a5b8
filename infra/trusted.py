"""Says what is wrong with the outputs of infra/main.bicep, and exits with 1 if anything is. infra/trusted.sh runs it.

Its standard input has what is there, as tab-separated lines: identity, name, principal; topic, id, principal;
systemTopic, id, principal, source. Its argument is the resource group of the installation.
"""

import json
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

DUTIES = ("host", "rotator", "provisioner", "verifier")
Lines = list[list[str]]


def faults(made: dict[str, Any], own: dict[str, Any], there: Lines, group: str) -> Iterator[str]:
    """What isn't there, or isn't as the parameters say; all text is in lower case."""
    inside = f"/subscriptions/{os.environ['AZURE_SUBSCRIPTION_ID']}/resourcegroups/{group}/providers/".lower()
    reuse = own.get("reuse", {})
    vault, actions = reuse.get("keyvaultid"), reuse.get("actiongroupid")
    if made["names"]["resourcegroup"] != group or not _is(made["keyvaultid"], vault, f"{inside}microsoft.keyvault/"):
        yield "MESHWARD_MADE tells of another group or key vault than the parameters"
    if not _is(made["actiongroupid"], actions, f"{inside}microsoft.insights/actiongroups/"):
        yield "MESHWARD_MADE tells of another action group than the parameters"
    backup = own.get("backupresourcegroup") or f"rg-{os.environ['AZURE_ENV_NAME'].lower().replace('_', '-')}-backup"
    if made["backupresourcegroup"] != backup:
        yield f"MESHWARD_MADE says that vaults are in {made['backupresourcegroup']}, and not in {backup}"
    yield from _names(made["names"], own.get("names", {}), there)
    yield from _identities(made["principals"], there)
    yield from _topics(made, there, inside)


def _is(told: str, given: "str | None", inside: str) -> bool:
    return told == given if given else told.startswith(inside) and "/.." not in told


def _names(names: dict[str, str], given: dict[str, str], there: Lines) -> Iterator[str]:
    """Names hold six letters, which the identities tell, unless the parameters give them."""
    letters = re.sub(".*-", "", names["base"])
    known = "identity" in given or any(f"-{letters}-" in line[1] for line in there if line[0] == "identity")
    for kind, name in names.items():
        usual = known and re.fullmatch("[a-z0-9]{6}", letters) and letters in name
        if name != given.get(kind) and not usual and kind not in ("resourcegroup", "endpoint"):
            yield f"MESHWARD_MADE says that the {kind} is called {name}, which is no name of this installation"


def _identities(principals: dict[str, str], there: Lines) -> Iterator[str]:
    for duty in DUTIES:
        own = [line[2] for line in there if line[0] == "identity" and line[1].endswith(f"-{duty}")]
        if principals[duty] not in own:
            yield f"MESHWARD_MADE says that the {duty} is {principals[duty]}, which no identity of the group is"


def _topics(made: dict[str, Any], there: Lines, inside: str) -> Iterator[str]:
    """Topics that we subscribe to tell of our key vault; those that put dead letters down, of the fleet or of us."""
    fleet = [f"/subscriptions/{each.strip()}" for each in os.environ["MESHWARD_SUBSCRIPTION_IDS"].lower().split(",")]
    system = [line for line in there if line[0] == "systemtopic" and line[3] in (*fleet, made["keyvaultid"])]
    if made["keyvaulttopicid"] not in [line[1] for line in system if line[3] == made["keyvaultid"]]:
        yield f"MESHWARD_MADE says that {made['keyvaulttopicid']} is the key vault's topic, which it isn't"
    own = [line for line in there if line[0] == "topic" and line[1].startswith(inside)]
    told = json.loads(os.environ.get("MESHWARD_TOPIC_PRINCIPALS") or "[]")
    for principal in (made["principals"]["topic"], made["principals"]["keyvaulttopic"], *told):
        if principal.lower() not in [line[2] for line in (*own, *system)]:
            yield f"the outputs say that a topic is {principal}, which no topic of the installation or its fleet is"


def main(group: str) -> int:
    made, own = (json.loads(os.environ[f"MESHWARD_{each}"].lower()) for each in ("MADE", "PARAMETERS"))
    found = list(faults(made, own, [line.split("\t") for line in sys.stdin.read().lower().splitlines()], group.lower()))
    print(*(f"{each}: nothing was done" for each in found), sep="\n", end="\n" if found else "")  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
