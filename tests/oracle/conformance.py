"""Judges what the simulated Azure exchanged by Microsoft's own specifications and by recordings of real traffic.

Rules:
- The judge is a folder `shared/oracle` beside the repository (or in it). Where the folder, node or npm is missing,
  tests that need it are skipped with the reason.
- URLs of the simulated cloud are mapped back to Azure's before they are judged.
- Every exchange is judged, unless `LEFT_OUT` names its path and why; what matches neither is an error, so that no
  provider can hide.
- Faults that a test injects have no body and are left out.
"""

import atexit
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from local.cloud.wire import Exchange
from tests.builds.npm import installed
from tests.oracle.unrecorded import Unrecorded
from tests.oracle.validator import Validator

ROOT = Path(__file__).parents[2]
_LOCK = ROOT / "tests" / "oracle" / "package-lock.json"

# Paths that nothing can be judged by, and why. Providers are the last of the path.
LEFT_OUT = {
    "Kubernetes speaks its own API": r"/k8s/",
    "Consul speaks its own API": r"/consul/",
    "Entra: no specification": r"/[^/]+/(v2\.0/\.well-known|discovery)/",
    "polls of containers: recorded with an API version whose specification isn't here": (
        r"/subscriptions/.*/backupFabrics/[^/]+(/protectionContainers/[^/]+)?/operationsStatus/"
    ),
    "a given version of a certificate: only the latest was recorded, which shows its policy": (
        r"/vaults/[^/]+/certificates/[^/]+/[0-9a-f]{32}$"
    ),
    "Application Insights' ingestion: no specification here": r"/insights/",
    "Azure Files' data plane speaks XML: no specification here": r"/files/",
    "Blob Storage's data plane: no specification here": r"/blobs/",
    "Event Grid: the validator doesn't match its publish operation": r"/topics/[^/]+/api/events",
    "Microsoft.EventGrid: no specification of its resources here": (
        r"/subscriptions/.*/providers/Microsoft\.EventGrid/systemTopics"
    ),
    "Microsoft.Storage: no specification here": r"/subscriptions/.*/providers/Microsoft\.Storage/(?!.*/providers/)",
    "Microsoft.Compute: no specification here": r"/subscriptions/.*/providers/Microsoft\.Compute/(?!.*/providers/)",
    "Microsoft.Network: no specification here": r"/subscriptions/.*/providers/Microsoft\.Network/(?!.*/providers/)",
    "Microsoft.ResourceGraph: no specification here": r"/providers/Microsoft\.ResourceGraph/resources",
    "Microsoft.Resources: of its specifications only that of resource groups is here": (
        r"/subscriptions/[^/]+/providers/[^/]+(/register)?$"
    ),
    "polls of AKS and of resource groups: in no specification": (
        r"/subscriptions/[^/]+(/providers/Microsoft\.ContainerService/locations/[^/]+)?/(operations|operationresults)/[^/]+"
    ),
    "polls of DataProtection within a resource group: recorded, in no specification": (
        r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.DataProtection/locations/.+"
    ),
}


class JudgeMissing(Exception):
    """The judge can't be had here; says what is missing."""


class Oracle:
    """Judges exchanges of the simulated cloud. `left_out` counts by reason what it didn't judge."""

    def __init__(self, folder: Path, node_modules: Path) -> None:
        self._validator = Validator(folder, node_modules)
        self.recordings = folder / "recordings" / "exchanges.jsonl"
        self.left_out: Counter[str] = Counter()
        self.judged = 0
        atexit.register(self._validator.close)

    @property
    def unrecorded(self) -> Unrecorded:
        """The rule on fields and words that were never recorded."""
        return self._validator.unrecorded

    def judge(self, exchanges: Iterable[Exchange]) -> list[str]:
        """What is wrong with these exchanges: one line per different finding, each with method, URL and status."""
        findings: dict[str, str] = {}
        for exchange in exchanges:
            path = exchange.url.split("?")[0]
            for finding in self._findings(exchange):
                kind = f"{exchange.method} {_without_names(path)} {exchange.status} {finding}"
                findings.setdefault(kind, f"{exchange.method} {path[:300]} {exchange.status}: {finding}")
        return list(findings.values())

    def _findings(self, exchange: Exchange) -> list[str]:
        path = _path(exchange.url)
        if reason := _left_out(exchange, path):
            self.left_out[reason] += 1
            return []
        url = azure_url(exchange.url)
        if url is None:
            return ["neither a URL that can be judged nor one that is left out on purpose"]
        self.judged += 1
        return self._validator.judge(_request(exchange, url), _response(exchange))


def azure_url(url: str) -> str | None:
    """The URL on Azure that stands behind one of the simulated cloud, or None."""
    path = _path(url)
    query = url.partition("?")[2]
    if found := re.fullmatch(r"/vaults/([^/]+)(/.*)", path):
        return f"https://{found[1]}.vault.azure.net{found[2]}?{query}"
    if re.match(r"/keys/[^/]+/", path):  # by id, without the vault's name
        return f"https://vault.vault.azure.net{path}?{query}"
    if re.match(r"/(subscriptions|providers)/", path, re.IGNORECASE):
        if "/providers/" not in path.lower():  # the only specification of resource groups here
            query = re.sub(r"api-version=[\w-]+", "api-version=2024-03-01", query)
        return f"https://management.azure.com{path}?{query}"
    return None


def _left_out(exchange: Exchange, path: str) -> str | None:
    if exchange.body is None and (exchange.status == 429 or exchange.status >= 500):
        return "a fault that a test injected"
    if "api-version=" not in exchange.url and exchange.status == 400:
        return "no api-version: the request belongs to no specification"
    return next((reason for reason, form in LEFT_OUT.items() if re.match(form, path, re.IGNORECASE)), None)


def _request(exchange: Exchange, url: str) -> dict[str, Any]:
    headers = {"content-type": "application/json"} | exchange.request_headers
    body = {"body": json.loads(exchange.request)} if exchange.request else {}
    return {"method": exchange.method, "url": url, "headers": headers, **body}


def _response(exchange: Exchange) -> dict[str, Any]:
    typed = {} if exchange.body is None else {"content-type": "application/json; charset=utf-8"}
    headers = typed | {name.lower(): value for name, value in exchange.headers.items()}
    body = {} if exchange.body is None else {"body": exchange.body}
    return {"statusCode": str(exchange.status), "headers": headers, **body}


def _path(url: str) -> str:
    return re.sub(r"^https?://[^/]+", "", url).partition("?")[0]


def _without_names(path: str) -> str:
    """The path with a star for every segment that isn't a plain word: paths of one operation look alike."""
    return re.sub(r"/[^/]+(?=/|$)", lambda name: name[0] if name[0][1:].isalpha() else "/*", _path(path))


def conformance_data() -> Path:
    """The folder of specifications and recordings; raises Missing."""
    folder = next((f for f in (ROOT.parent / "shared" / "oracle", ROOT / "shared" / "oracle") if f.is_dir()), None)
    if folder is None:
        raise JudgeMissing("no conformance data: the folder shared/oracle isn't beside the repository")
    return folder


def check_judge() -> None:
    """Raise JudgeMissing where the judge can't be had."""
    conformance_data()
    if not (shutil.which("node") and shutil.which("npm")):
        raise JudgeMissing("no validator: node 20 and npm aren't installed")


@cache
def open_oracle() -> Oracle:
    """The one judge of this process; raises JudgeMissing."""
    check_judge()
    return Oracle(conformance_data(), installed(_LOCK))


def conforms(exchanges: Iterable[Exchange]) -> None:
    """Fail the test whose world exchanged something that Azure would not; without the judge, say nothing."""
    try:
        findings = open_oracle().judge(exchanges)
    except JudgeMissing:
        return
    assert not findings, "\n".join(["the simulated Azure or the app strays from the wire:", *findings])
