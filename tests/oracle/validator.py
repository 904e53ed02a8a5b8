"""Two judges of an exchange with Azure: Microsoft's traffic validator (a node process), and shapes of recorded traffic.

Rules:
- What the specifications say about an answer counts, except where the real service was seen to deviate.
- The specifications held are older than the newest SDKs: a property that they don't know is then no fault of a request.
- What the service always sent must be there, in the type it was sent (seen at least three times).
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

# Codes that real traffic itself violates.
_SERVICE_DEVIATES = {"ENUM_CASE_MISMATCH", "SECRET_PROPERTY"}
# Where the recordings are too few to tell what is always so.
_UNTYPICAL = {
    ("GetKey", "$.key.n"): "only RSA keys were recorded",
    ("GetKey", "$.key.e"): "only RSA keys were recorded",
    ("GetSecret", "$.tags"): "only secrets with tags were recorded",
    ("GetCertificates", "$.nextLink"): "only last pages were recorded",
}
# Operations whose path is one hole that any path fits.
_CATCH_ALL = re.compile(r"Resources_\w+ById")

Issue = dict[str, Any]


class Validator:
    """Judges exchanges whose URLs are Azure's. `folder` holds specs, recordings and the tools that read them."""

    def __init__(self, folder: Path, node_modules: Path) -> None:
        sys.path.insert(0, str(folder / "tools"))
        recordings = folder / "recordings"
        self._shapes: Any = importlib.import_module("shape_oracle").Shapes.load(recordings / "observed_shapes.json")
        extras = json.loads((recordings / "known_service_extras.json").read_text())
        self._extras = {(operation, path) for operation, path, _ in extras}
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
        found = [_text("response", i) for i in verdict["response"] if not self._is_lenient(verdict["operationId"], i)]
        if int(response["statusCode"]) < 400:
            found += [_text("request", i) for i in verdict["request"] if not _is_newer(verdict, i)]
        return found + self._unlike_recordings(verdict["operationId"], request["url"], response)

    def _ask(self, request: dict[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        is_arm = "//management.azure.com/" in request["url"]
        question = {"id": 1, "arm": is_arm, "liveRequest": request, "liveResponse": response}
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        verdict: dict[str, Any] = json.loads(self._process.stdout.readline())
        return verdict

    def _is_lenient(self, operation: str, issue: Issue) -> bool:
        place = re.sub(r"/\d+(?=/|$)", "/[]", issue.get("path") or "")
        seen = issue["code"] == "OBJECT_ADDITIONAL_PROPERTIES" and (operation, place) in self._extras
        return seen or issue["code"] in _SERVICE_DEVIATES

    def _unlike_recordings(self, operation: str, url: str, response: dict[str, Any]) -> list[str]:
        providers = re.findall(r"/providers/Microsoft\.([A-Za-z]+)", url.partition("?")[0], re.IGNORECASE)
        key = f"{providers[-1].lower() if providers else 'dataplane'}/{operation}"
        body = response.get("body")
        told = self._shapes.check(key, response["statusCode"], set(response["headers"]), body)
        errors = [(where, text) for level, where, text in told if level == "error"]
        return [f"recorded {where}: {text}" for where, text in errors if (operation, where) not in _UNTYPICAL]


def _is_newer(verdict: dict[str, Any], issue: Issue) -> bool:
    unknown = issue["code"] == "OBJECT_ADDITIONAL_PROPERTIES" and "aliasedFrom" in verdict
    return unknown or issue["code"] == "ENUM_CASE_MISMATCH"


def _text(part: str, issue: Issue) -> str:
    return f"spec {part} {issue['code']} {issue.get('path') or ''}: {issue['message']}"
