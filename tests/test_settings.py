import msgspec
import pytest

from shared.domain.errors import PermanentError
from shared.settings import Settings

NAMES = [f.name for f in msgspec.structs.fields(Settings) if f.required]
COMPLETE = {f"MESHWARD_{name.upper()}": f"value-of-{name}" for name in NAMES}


def test_settings_are_read_from_the_environment() -> None:
    settings = Settings.from_env(COMPLETE)
    assert settings.tenant_id == "value-of-tenant_id"
    assert settings.arm_url == "https://management.azure.com"


def test_every_missing_setting_is_named_at_once() -> None:
    with pytest.raises(PermanentError) as refusal:
        Settings.from_env({"MESHWARD_TENANT_ID": "t", "MESHWARD_AUDIENCE": ""})
    missing = [f"MESHWARD_{name.upper()}" for name in NAMES if name != "tenant_id"]
    assert all(name in refusal.value.message for name in missing)
    assert "MESHWARD_TENANT_ID" not in refusal.value.message


def test_a_setting_that_cannot_be_read_is_named() -> None:
    with pytest.raises(PermanentError, match="verify_key_vault_domain"):
        Settings.from_env({**COMPLETE, "MESHWARD_VERIFY_KEY_VAULT_DOMAIN": "perhaps"})


def test_tags_are_read_as_bicep_writes_them() -> None:
    assert Settings.from_env(COMPLETE).tags == {}
    assert Settings.from_env({**COMPLETE, "MESHWARD_TAGS": '{"cost":"a, b"}'}).tags == {"cost": "a, b"}


@pytest.mark.parametrize("tags", ["cost=1", '{"cost":', '{"cost":1}', "[]"])
def test_tags_that_cannot_be_read_are_named(tags: str) -> None:
    with pytest.raises(PermanentError, match="tags"):
        Settings.from_env({**COMPLETE, "MESHWARD_TAGS": tags})
