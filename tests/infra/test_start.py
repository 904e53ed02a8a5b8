"""The stand-in refuses what the compiler refuses because a deployment must know it at its start."""

from pathlib import Path

import pytest

from tests.infra.evaluated import BicepFile, CompilerRefused, Scope
from tests.infra.start import refusals
from tests.infra.syntax import declarations

ACCOUNT = """
param names string[] = ['a', 'b']
resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: 'st'
  properties: {}
}
module inner 'inner.bicep' = {
  params: { key: 'a' }
}
"""
LOOPED = "resource many 'Microsoft.Storage/storageAccounts@2025-06-01' = [for each in names: {{ name: each\n {} }}]"
CHILD = "resource blobs 'blobServices' = {\n    name: 'default'\n  }\n"


def found(folder: Path, said: str) -> list[str]:
    (folder / "x.bicep").write_text(f"{ACCOUNT}{said}\n")
    return [each.partition(":")[0] for each in refusals(declarations(folder / "x.bicep"))]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("var all = [for each in items(account.properties): each.key]", "BCP178"),
        ("var held = { key: account.properties.key }\nvar all = [for each in items(held): each.key]", "BCP178"),
        ("var held = [inner.outputs.key]\nvar all = [for each in held: each]", "BCP178"),
        ("var all = [for each in listKeys('st', 'v').keys: each]", "BCP178"),
        (
            "module other 'inner.bicep' = if (account.properties.key == 'a') {\n  params: { key: 'a' }\n}",
            "BCP177",
        ),
        ("resource other 'Microsoft.KeyVault/vaults@2024-11-01' = {\n  name: inner.outputs.key\n}", "BCP120"),
        ("resource other 'Microsoft.KeyVault/vaults@2024-11-01' = {\n  name: guid(account.location)\n}", "BCP120"),
        (LOOPED.format(CHILD), "BCP160"),
    ],
)
def test_what_a_deployment_cannot_know_at_its_start_is_refused(tmp_path: Path, said: str, code: str) -> None:
    assert found(tmp_path, said) == [code]
    with pytest.raises(CompilerRefused, match=code):
        BicepFile(tmp_path / "x.bicep", {}, Scope(""))


@pytest.mark.parametrize(
    "said",
    [
        "var held = { key: account.properties.key }\nvar all = map(items(held), each => each.key)",
        "var all = [for each in [account.id, account.name]: { key: each, value: account.properties.key }]",
        "resource other 'Microsoft.KeyVault/vaults@2024-11-01' = {\n  name: guid(account.id)\n}",
        "resource other 'Microsoft.KeyVault/vaults@2024-11-01' existing = {\n  name: inner.outputs.key\n}",
        "var all = [for account in names: { key: account }]",
        LOOPED.format(""),
    ],
)
def test_what_it_can_know_is_taken(tmp_path: Path, said: str) -> None:
    assert found(tmp_path, said) == []
