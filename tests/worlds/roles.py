"""The role assignments of infra/roles.json whose scope is in the simulated cloud."""

import json

from local.stage import INFRA

TABLE = json.loads((INFRA / "roles.json").read_text())
SIMULATED = ("subscription", "backupGroup", "keyVault", "eventTopic", "shareAccount", "machineGroup", "scratchGroup")
ASSIGNMENTS = [each for each in TABLE["assignments"] if each["at"] in SIMULATED]
