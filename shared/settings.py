"""What the app is told by its environment: names and endpoints, never a secret."""

from collections.abc import Mapping

import msgspec

from shared.domain.errors import Misconfigured


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One field per setting; its environment variable is MESHWARD_ and the field's name in capitals."""

    tenant_id: str
    subscription_ids: str
    audience: str
    key_vault_url: str
    event_topic_url: str
    store_url: str
    backup_resource_group: str
    rotator_client_id: str
    provisioner_client_id: str
    verifier_client_id: str
    tags: dict[str, str] = {}  # of all that the app makes in Azure, as JSON
    installation: str = "meshward"  # what the names of its resources and event subscriptions hold
    arm_url: str = "https://management.azure.com"
    authority_url: str = "https://login.microsoftonline.com"
    file_url: str = "https://{account}.file.core.windows.net"
    # Key Vault's client checks that a challenge names the vault's own domain, which no vault on loopback can satisfy.
    verify_key_vault_domain: bool = True

    @property
    def subscriptions(self) -> list[str]:
        """`subscription_ids` is a list separated by commas."""
        return [part.strip() for part in self.subscription_ids.split(",") if part.strip()]

    @property
    def key_vault_name(self) -> str:
        """The vault's name: the first label of its host."""
        return self.key_vault_url.split("://")[-1].split(".")[0].rstrip("/").split("/")[-1]

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the settings; raises Misconfigured that names every missing one at once."""
        fields = msgspec.structs.fields(cls)
        found = {f.name: _value(environ[_variable(f.name)]) for f in fields if environ.get(_variable(f.name))}
        missing = [_variable(f.name) for f in fields if f.required and f.name not in found]
        if missing:
            raise Misconfigured("SettingsMissing", f"set these application settings: {', '.join(missing)}")
        try:
            return msgspec.convert(found, cls, strict=False)
        except msgspec.ValidationError as error:
            raise Misconfigured("SettingInvalid", f"an application setting can't be read: {error}") from error


def _value(text: str) -> object:
    """What a setting says: an object of JSON, or text."""
    try:
        return msgspec.json.decode(text) if text.startswith("{") else text
    except msgspec.DecodeError:
        return text


def _variable(field: str) -> str:
    return f"MESHWARD_{field.upper()}"
