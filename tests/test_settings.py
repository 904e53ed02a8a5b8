import msgspec
import pytest

from shared.domain.errors import Misconfigured, PermanentError
from shared.settings import Settings

NAMES = [f.name for f in msgspec.structs.fields(Settings) if f.required]
SAMPLE = "3f1b6a52-7c0d-4e8b-9a31-5d2c8e4f7b60"
OTHERS = {
    "audience": "api://meshward",
    "key_vault_url": "https://kv.vault.azure.net",
    "event_topic_url": "https://topic.westeurope-1.eventgrid.azure.net/api/events",
    "store_url": "az://store/meshward",
    "evidence_url": "az://store/evidence",
    "policy_url": "az://store/policy",
    "backup_resource_group": "rg-backup",
}
COMPLETE = {f"MESHWARD_{name.upper()}": OTHERS.get(name, SAMPLE) for name in NAMES}


def test_settings_are_read_from_the_environment() -> None:
    settings = Settings.from_env(COMPLETE)
    assert settings.tenant_id == SAMPLE
    assert settings.arm_url == "https://management.azure.com"


def test_every_missing_setting_is_named_at_once() -> None:
    with pytest.raises(PermanentError) as refusal:
        Settings.from_env({"MESHWARD_TENANT_ID": "t", "MESHWARD_AUDIENCE": ""})
    missing = [f"MESHWARD_{name.upper()}" for name in NAMES if name != "tenant_id"]
    assert all(name in refusal.value.message for name in missing)
    assert "MESHWARD_TENANT_ID" not in refusal.value.message


@pytest.mark.parametrize(
    ("setting", "value", "needed"),
    [
        ("TENANT_ID", "contoso.onmicrosoft.com", "GUID"),
        ("ROTATOR_CLIENT_ID", "id-rotator", "GUID"),
        ("SUBSCRIPTION_IDS", f"{SAMPLE}/resourceGroups/rg", "separated by commas"),
        ("SUBSCRIPTION_IDS", f"/subscriptions/{SAMPLE}", "separated by commas"),
        ("SUBSCRIPTION_IDS", f"{SAMPLE} {SAMPLE}", "separated by commas"),
        ("BACKUP_RESOURCE_GROUP", "rg/backup", "name of a resource group"),
        ("BACKUP_RESOURCE_GROUP", "rg.", "name of a resource group"),
        ("KEY_VAULT_URL", "kv.vault.azure.net", "https://"),
        ("STORE_URL", "https://store.blob.core.windows.net/meshward", "az://"),
        ("VERIFY_KEY_VAULT_DOMAIN", "perhaps", "true or false"),
    ],
)
def test_a_setting_that_can_t_be_used_is_named_with_its_value_and_what_it_has_to_be(
    setting: str, value: str, needed: str
) -> None:
    with pytest.raises(Misconfigured) as refusal:
        Settings.from_env({**COMPLETE, f"MESHWARD_{setting}": value})
    assert refusal.value.reason == "SettingInvalid"
    assert f"MESHWARD_{setting} is {value!r} and has to be " in refusal.value.message
    assert needed in refusal.value.message


def test_every_wrong_setting_is_named_at_once() -> None:
    with pytest.raises(Misconfigured, match=r"MESHWARD_TENANT_ID .*; MESHWARD_VERIFIER_CLIENT_ID "):
        Settings.from_env({**COMPLETE, "MESHWARD_TENANT_ID": "t", "MESHWARD_VERIFIER_CLIENT_ID": "v"})


def test_a_scheme_may_be_written_in_any_case() -> None:
    assert Settings.from_env({**COMPLETE, "MESHWARD_KEY_VAULT_URL": "HTTPS://kv.vault.azure.net"})


@pytest.mark.parametrize("told", [SAMPLE.upper(), f" {SAMPLE} , {SAMPLE}", f"{SAMPLE},", f",{SAMPLE},, {SAMPLE}"])
def test_subscriptions_may_be_written_with_blanks_and_in_any_case(told: str) -> None:
    settings = Settings.from_env({**COMPLETE, "MESHWARD_SUBSCRIPTION_IDS": told})
    assert {each.lower() for each in settings.subscriptions} == {SAMPLE}


def test_tags_are_read_as_bicep_writes_them() -> None:
    assert Settings.from_env(COMPLETE).tags == {}
    assert Settings.from_env({**COMPLETE, "MESHWARD_TAGS": '{"cost":"a, b"}'}).tags == {"cost": "a, b"}


@pytest.mark.parametrize("tags", ["cost=1", '{"cost":', '{"cost":1}', "[]"])
def test_tags_that_cannot_be_read_are_named(tags: str) -> None:
    with pytest.raises(PermanentError, match="MESHWARD_TAGS"):
        Settings.from_env({**COMPLETE, "MESHWARD_TAGS": tags})
