"""The judge of the simulated Azure can say no, says yes to real traffic, and judges all that this run exchanged."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from local.cloud.wire import Exchange
from tests.oracle.conformance import Oracle, azure_url, conforms

VAULT = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.DataProtection/backupVaults/v?api-version=2024-04-01"


def real_exchanges(oracle: Oracle, host: str) -> list[Exchange]:
    """Recorded traffic of a host, as if it had been exchanged on loopback."""
    lines = (json.loads(line) for line in oracle.recordings.read_text().splitlines())
    return [on_loopback(line) for line in lines if host in line["url"].split("/")[2]]


def on_loopback(line: dict[str, Any]) -> Exchange:
    _, _, host, path = line["url"].split("/", 3)
    prefix = f"/vaults/{host.split('.')[0]}" if "vault" in host else ""
    return Exchange(
        method=line["method"],
        url=f"https://localhost:1234{prefix}/{path}",
        request=json.dumps(line["req"]).encode() if line["req"] is not None else b"",
        request_headers={},
        status=line["status"],
        headers=line["headers"],
        body=line["body"],
    )


def test_real_traffic_of_key_vault_passes(oracle: Oracle) -> None:
    exchanges = real_exchanges(oracle, ".vault.azure.net")
    assert len(exchanges) > 200
    assert oracle.judge(exchanges) == []


def test_real_traffic_of_backup_vaults_passes(oracle: Oracle) -> None:
    exchanges = [e for e in real_exchanges(oracle, "management") if "/backupVaults/" in e.url and e.method == "GET"]
    assert len(exchanges) > 100
    lenient = "resourceProperties/objectType"  # null in real traffic, against the specification
    assert [finding for finding in oracle.judge(exchanges) if lenient not in finding] == []


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"status": 299}, "INVALID_RESPONSE_CODE"),
        ({"body": {"value": 1}}, "OBJECT_ADDITIONAL_PROPERTIES"),
        (
            {"url": "https://localhost:1/vaults/v/certificates/c/nothing/here?api-version=7.4"},
            "not in the official API",
        ),
        ({"url": f"https://localhost:1{VAULT.replace('DataProtection', 'Nobody')}"}, "not in the official API"),
        ({"url": "https://localhost:1/elsewhere"}, "neither a URL that can be judged"),
    ],
)
def test_a_broken_exchange_is_reported(oracle: Oracle, change: dict[str, Any], finding: str) -> None:
    sound = next(
        e
        for e in real_exchanges(oracle, ".vault.azure.net")
        if "/certificates/" in e.url and e.method == "GET" and e.status == 200
    )
    assert oracle.judge([sound]) == []
    assert any(finding in found for found in oracle.judge([replace(sound, **change)]))


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"extra": 1}, r"\$\.extra: recorded"),
        ({"type": "Microsoft.DataProtection/vaults"}, r"\$\.type: 'Microsoft.* was never recorded"),
    ],
)
def test_a_world_that_sends_what_azure_never_sent_fails(oracle: Oracle, change: dict[str, Any], finding: str) -> None:
    vaults = (e for e in real_exchanges(oracle, "management") if re.search(r"/backupVaults/[^/]+\?", e.url))
    sound = next(e for e in vaults if (e.method, e.status) == ("GET", 200))
    conforms([sound])
    with pytest.raises(AssertionError, match=finding):
        conforms([replace(sound, body=sound.body | change)])


def test_a_property_that_the_service_always_sends_must_not_be_missing(oracle: Oracle) -> None:
    sound = next(e for e in real_exchanges(oracle, ".vault.azure.net") if e.status == 200 and "kid" in (e.body or {}))
    body = {name: value for name, value in sound.body.items() if name != "kid"}
    assert any("always present" in found for found in oracle.judge([replace(sound, body=body)]))


def test_skipped_exchanges_are_counted_with_their_reasons(oracle: Oracle) -> None:
    before = oracle.left_out.total()
    sound = real_exchanges(oracle, ".vault.azure.net")[0]
    fault = replace(sound, url=f"https://localhost:1{VAULT}", status=503, body=None)
    assert oracle.judge([fault]) == []
    assert oracle.left_out.total() == before + 1


def test_urls_are_mapped_back_to_azure() -> None:
    assert (
        azure_url("https://localhost:1/vaults/kv/keys/k?api-version=7.4")
        == "https://kv.vault.azure.net/keys/k?api-version=7.4"
    )
    assert azure_url(f"https://localhost:1{VAULT}") == f"https://management.azure.com{VAULT}"
    assert azure_url("https://localhost:1/k8s/cluster/api/v1/pods") is None


def test_a_test_with_a_wrong_exchange_fails(oracle: Oracle) -> None:
    sound = next(e for e in real_exchanges(oracle, ".vault.azure.net") if e.status == 200)
    conforms([sound])
    with pytest.raises(AssertionError, match="strays from the wire"):
        conforms([sound, replace(sound, status=299)])
