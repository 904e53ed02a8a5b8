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
# As infra/modules/names.bicep has them, where the parameters give no others; {flat} is the base without hyphens.
USUAL = {
    "base": "{base}",
    "resourcegroup": "rg-{name}",
    "eventsgroup": "rg-{base}-events",
    "identity": "id-{base}",
    "workspace": "log-{base}",
    "insights": "appi-{base}",
    "actiongroup": "ag-{base}",
    "alert": "alert-{base}",
    "hostaccount": "st{flat}h",
    "storeaccount": "st{flat}s",
    "vault": "kv-{base}",
    "topic": "evgt-{base}",
    "systemtopic": "egst-{base}",
    "network": "vnet-{base}",
    "securitygroup": "nsg-{base}",
    "natgateway": "ng-{base}",
    "publicaddress": "pip-{base}",
    "endpoint": "pep",
    "plan": "plan-{base}",
    "functionapp": "func-{base}",
    "scheduler": "dts-{base}",
}
Lines = list[list[str]]


def faults(made: dict[str, Any], own: dict[str, Any], there: Lines, group: str) -> Iterator[str]:
    """What isn't there, or isn't as the parameters say; all text is in lower case."""
    inside = f"/subscriptions/{os.environ['AZURE_SUBSCRIPTION_ID']}/resourcegroups/{group}/providers/".lower()
    reuse, names = own.get("reuse", {}), made["names"]
    vault = reuse.get("keyvaultid") or f"{inside}microsoft.keyvault/vaults/{names['vault']}"
    actions = reuse.get("actiongroupid") or f"{inside}microsoft.insights/actiongroups/{names['actiongroup']}"
    if names["resourcegroup"] != group or made["keyvaultid"] != vault:
        yield "MESHWARD_MADE tells of another group or key vault than the parameters"
    if made["actiongroupid"] != actions:
        yield "MESHWARD_MADE tells of another action group than the parameters"
    backup = own.get("backupresourcegroup") or f"rg-{_installation()}-backup"
    if made["backupresourcegroup"] != backup:
        yield f"MESHWARD_MADE says that vaults are in {made['backupresourcegroup']}, and not in {backup}"
    if made["scheduled"] != (own.get("durablebackend") == "durabletaskscheduler"):
        yield "MESHWARD_MADE tells of another place for the state of flows than the parameters"
    yield from _names(names, own.get("names", {}))
    yield from _identities(names["identity"], made["principals"], there)
    yield from _topics(made, there, inside)


def _installation() -> str:
    return os.environ["AZURE_ENV_NAME"].lower().replace("_", "-")


def _names(names: dict[str, str], given: dict[str, str]) -> Iterator[str]:
    """Each is given, or as Bicep makes it; six letters in the usual ones are the installation's."""
    base = names["base"]
    letters = {"name": _installation(), "base": base, "flat": base.replace("-", "")}
    known = re.fullmatch(f"{_installation()}-[a-z0-9]{{6}}", base)
    for kind in sorted(USUAL.keys() | names.keys()):
        name, usual = names.get(kind), USUAL.get(kind, "").format(**letters)
        if name != given.get(kind, usual) or (kind == "base" and not known):
            yield f"MESHWARD_MADE says that the {kind} is called {name}, which is no name of this installation"
    app = os.environ.get("FUNCTION_APP", "").lower()
    if app and app != names["functionapp"]:
        yield f"FUNCTION_APP is {app}, and MESHWARD_MADE calls it {names['functionapp']}"


def _identities(prefix: str, principals: dict[str, str], there: Lines) -> Iterator[str]:
    """Those of the group tell the letters of the usual names, so there must be no second set of them."""
    found = {line[1]: line[2] for line in there if line[0] == "identity"}
    for duty in DUTIES:
        if principals[duty] != found.get(f"{prefix}-{duty}"):
            yield f"MESHWARD_MADE says that the {duty} is {principals[duty]}, which no identity of the group is"
    usual = re.compile(f"(id-{_installation()}-[a-z0-9]{{6}})-({'|'.join(DUTIES)})")
    others = sorted(name for name in found if (match := usual.fullmatch(name)) and match[1] != prefix)
    if usual.fullmatch(f"{prefix}-{DUTIES[0]}") and others:
        yield f"{', '.join(others)} may be of this installation or of another: delete what isn't its own"


def _topics(made: dict[str, Any], there: Lines, inside: str) -> Iterator[str]:
    """Topics that we subscribe to tell of our key vault; those that put dead letters down, of the fleet or of us."""
    fleet = [f"/subscriptions/{each.strip()}" for each in os.environ["MESHWARD_SUBSCRIPTION_IDS"].lower().split(",")]
    system = [line for line in there if line[0] == "systemtopic" and line[3] in (*fleet, made["keyvaultid"])]
    if made["keyvaulttopicid"] not in [line[1] for line in system if line[3] == made["keyvaultid"]]:
        yield f"MESHWARD_MADE says that {made['keyvaulttopicid']} is the key vault's topic, which it isn't"
    own = [
        line
        for line in there
        if line[0] == "topic" and line[1] == f"{inside}microsoft.eventgrid/topics/{made['names']['topic']}"
    ]
    told = json.loads(os.environ.get("MESHWARD_TOPIC_PRINCIPALS") or "[]")
    for principal in (made["principals"]["topic"], made["principals"]["keyvaulttopic"], *told):
        if principal.lower() not in [line[2] for line in (*own, *system)]:
            yield f"the outputs say that a topic is {principal}, which no topic of the installation or its fleet is"


def _told(name: str) -> dict[str, Any]:
    """What a variable says, in lower case."""
    found: dict[str, Any] = json.loads(os.environ[name], object_pairs_hook=_once)
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Resource Manager doesn't tell cases of names apart: of two it could take the one that nobody looked at."""
    found = {name.lower(): value.lower() if isinstance(value, str) else value for name, value in pairs}
    if len(found) != len(pairs):
        sys.exit(f"A name is there twice among {', '.join(name for name, _ in pairs)}: nothing was done")
    return found


def main(group: str) -> int:
    made, own = _told("MESHWARD_MADE"), _told("MESHWARD_PARAMETERS")
    found = list(faults(made, own, [line.split("\t") for line in sys.stdin.read().lower().splitlines()], group.lower()))
    for each in found:
        print(*("?" if not letter.isprintable() else letter for letter in each), sep="", end=": nothing was done\n")  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
