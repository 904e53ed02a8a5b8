"""Two judges of an exchange with Azure: Microsoft's traffic validator (a node process), and shapes of recorded traffic.

Rules:
- What the specifications say about an answer counts, except where the real service was seen to deviate.
- The specifications here are older than the newest SDKs: a property that they don't know is then no fault of a request.
- Properties of an answer that are younger than the specifications must stand in the newest resource types.
- What the service always sent must be there, in the type it was sent, where at least three answers were recorded.
- An error code that wasn't recorded is no fault: more can go wrong than happened to be recorded.
- A field or word that none of many recorded answers had is one (`tests/oracle/unrecorded.py`).
"""

import importlib
import json
import os
import re
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any

from tests.oracle.exceptions import EXCEPTIONS
from tests.oracle.unrecorded import Unrecorded

# Codes that real traffic itself violates.
_SERVICE_DEVIATES = {"ENUM_CASE_MISMATCH", "SECRET_PROPERTY"}
_CHOSEN = "$.properties.policyInfo.policyParameters.backupDatasourceParametersList[]"
# How findings begin (operation, path, text) where the recordings are too few to tell what is always so.
_UNTYPICAL = {
    "GetKey $.key.n:": "only RSA keys were recorded",
    "GetKey $.key.e:": "only RSA keys were recorded",
    "GetSecret $.tags:": "only secrets with tags were recorded",
    "GetCertificate $.policy.lifetime_actions[].trigger.lifetime_percentage:": "no days were recorded",
    "Jobs_Get $.properties:": "a failed restore was recorded in a list only",
    "GetCertificates $.nextLink:": "only last pages were recorded",
    "Jobs_Get $.properties.extendedInfo.warningDetails: is array": "no warnings were recorded",
    "BackupJobs_List $.value[].properties": "only jobs of virtual machines were listed",
    "ManagedClusters_Get $.properties.powerState: class 'code=Stopped": "no stopped cluster was recorded",
    "JobDetails_Get $.properties: class 'jobType=AzureStorageJob": "only good backups of shares were recorded",
    "JobDetails_Get $.properties.extendedInfo.tasksList[]: class 'status=Cancelled": "no cancelled job was recorded",
    "Vaults_CreateOrUpdate $.properties.securitySettings.softDeleteSettings: is object": "none was set at creation",
    "JobDetails_Get $.properties: class 'jobType=AzureIaaSVMJob;backupManagementType=AzureIaasVM;operation=": (
        "no failed job of a machine was recorded"
    ),
    "BackupOperationStatuses_Get $: class 'status=Failed'": "no failed operation was recorded",
    "Vaults_Update $.properties.securitySettings.immutabilitySettings: is object": "none was set at an update",
    f"BackupInstances_Get {_CHOSEN}.includedResourceTypes: is array": "no backup of certain kinds was recorded",
    "BackupInstances_Get $.properties.protectionStatus: class 'status=ConfiguringProtectionFailed": "none recorded",
}
# The same answer from another path, which wasn't recorded.
_ROUTED = {"BackupInstances_List": "BackupInstancesExtensionRouting_List"}
# Operations whose path is one hole that any path fits.
_CATCH_ALL = re.compile(r"Resources_\w+ById")
# AKS's own errors come without the envelope that its specification names.
_FLAT_ERROR = {"/code", "/details", "/message", "/subcode"}

Issue = dict[str, Any]


class Validator:
    """Judges exchanges whose URLs are Azure's. `folder` holds specs, recordings and the tools that read them."""

    def __init__(self, folder: Path, node_modules: Path) -> None:
        sys.path.insert(0, str(folder / "tools"))
        recordings = folder / "recordings"
        tool: Any = importlib.import_module("shape_oracle")
        self._shapes = tool.Shapes.load(recordings / "observed_shapes.json")
        self.unrecorded = Unrecorded(self._shapes.d, tool.nodes, EXCEPTIONS)
        extras = json.loads((recordings / "known_service_extras.json").read_text())
        self._extras = {(operation, path) for operation, path, _ in extras}
        self._extras |= {(_ROUTED.get(operation, operation), path) for operation, path in self._extras}
        self._newest = {file.name: file.read_text() for file in (folder / "specs" / "newer" / "bicep-types").iterdir()}
        with chdir(folder):  # the validator's own exclusions don't work from everywhere
            self._process = subprocess.Popen(
                ["node", "tools/oav_sidecar.js", "specs"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={**os.environ, "NODE_PATH": str(node_modules)},
            )

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)

    def judge(self, request: dict[str, Any], response: dict[str, Any]) -> list[str]:
        """Findings about {method, url, headers, body} and {statusCode, headers, body}; header names in lower case.

        A refused request (4xx, 5xx) is judged by its answer only.
        """
        verdict = self._ask(request, response)
        if unmatched := verdict.get("unmatched"):
            return [f"not in the official API: {unmatched}"]
        if _CATCH_ALL.fullmatch(verdict["operationId"]):
            return ["not in the official API"]
        provider, refused = _provider(request["url"]), int(response["statusCode"]) >= 400
        found = [_text("response", i) for i in verdict["response"] if not self._is_lenient(verdict, provider, i)]
        if not refused:
            found += [_text("request", i) for i in verdict["request"] if not _is_newer(verdict, i)]
        answer = f"{provider or 'dataplane'}/{verdict['operationId']} {response['statusCode']}"
        strange = (f"recorded {text}" for text in self.unrecorded.findings(answer, response.get("body")))
        return [*found, *self._unlike_recordings(verdict["operationId"], provider, response), *strange]

    def _ask(self, request: dict[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        is_arm = "//management.azure.com/" in request["url"]
        question = {"id": 1, "arm": is_arm, "liveRequest": request, "liveResponse": response}
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        verdict: dict[str, Any] = json.loads(self._process.stdout.readline())
        return verdict

    def _is_lenient(self, verdict: Issue, provider: str, issue: Issue) -> bool:
        if issue["code"] != "OBJECT_ADDITIONAL_PROPERTIES":
            return issue["code"] in _SERVICE_DEVIATES
        path = issue.get("path") or ""
        seen = (verdict["operationId"], re.sub(r"/\d+(?=/|$)", "/[]", path)) in self._extras
        flat = provider == "containerservice" and path in _FLAT_ERROR
        return seen or flat or ("aliasedFrom" in verdict and self._is_young(provider, path.rpartition("/")[2]))

    def _is_young(self, provider: str, name: str) -> bool:
        return any(f'"{name}"' in text for file, text in self._newest.items() if f"microsoft.{provider}_" in file)

    def _unlike_recordings(self, operation: str, provider: str, response: dict[str, Any]) -> list[str]:
        key, status, body = f"{provider or 'dataplane'}/{operation}", response["statusCode"], response.get("body")
        if self._shapes.d.get(f"{key} {status}", {"n": 0})["n"] < 3:
            return []
        judged = self._shapes.check(key, status, set(response["headers"]), body)
        errors = [(where, text) for level, where, text in judged if level == "error"]
        if int(status) >= 400:
            errors = [(where, text) for where, text in errors if not text.startswith("class ")]
        told_of = (f"{where}: {text}" for where, text in errors)
        return [f"recorded {t}" for t in told_of if not f"{operation} {t}".startswith(tuple(_UNTYPICAL))]


def _provider(url: str) -> str:
    """Of Azure's resource providers the last in the URL, in lower case; empty for data planes."""
    found = re.findall(r"/providers/Microsoft\.([A-Za-z]+)", url.partition("?")[0], re.IGNORECASE)
    return found[-1].lower() if found else ""


def _is_newer(verdict: Issue, issue: Issue) -> bool:
    unknown = issue["code"] == "OBJECT_ADDITIONAL_PROPERTIES" and "aliasedFrom" in verdict
    return unknown or issue["code"] == "ENUM_CASE_MISMATCH"


def _text(part: str, issue: Issue) -> str:
    return f"spec {part} {issue['code']} {issue.get('path') or ''}: {issue['message']}"
