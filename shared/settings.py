"""What the app is told by its environment: names and endpoints, never a secret."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from shared.domain.errors import Misconfigured, shown
from shared.domain.resource_id import GROUP_NAME, GUID

_GUIDS = rf"(?i)\A[\s,]*{GUID}(\s*,[\s,]*{GUID})*[\s,]*\Z"
Guid = Annotated[str, Meta(pattern=rf"(?i)\A{GUID}\Z", description="an id such as az account show prints (a GUID)")]
Url = Annotated[str, Meta(pattern=r"(?i)\Ahttps?://\S+\Z", description="a URL that begins with https://")]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One field per setting; its environment variable is MESHWARD_ and the field's name in capitals."""

    tenant_id: Guid  # of Entra
    subscription_ids: Annotated[str, Meta(pattern=_GUIDS, description="ids of subscriptions, separated by commas")]
    audience: str  # that tokens of the API's callers are for
    key_vault_url: Url  # of the vault with the trust roots
    event_topic_url: Url  # where the verifier publishes events
    store_url: Annotated[str, Meta(pattern=r"\A(az|file|memory)://", description="az://<account>/<container>")]
    evidence_url: Annotated[str, Meta(pattern=r"\A(az|file|memory)://", description="az://<account>/<container>")]
    policy_url: Annotated[str, Meta(pattern=r"\A(az|file|memory)://", description="az://<account>/<container>")]
    backup_resource_group: Annotated[
        str, Meta(pattern=rf"\A{GROUP_NAME}\Z", description="the name of a resource group")
    ]
    rotator_client_id: Guid  # of the rotator's identity
    provisioner_client_id: Guid  # of the provisioner's identity
    verifier_client_id: Guid  # of the verifier's identity
    tags: Annotated[dict[str, str], Meta(description="a JSON object of texts")] = {}  # of all that the app creates
    installation: str = "meshward"  # what the names of its resources and event subscriptions hold
    arm_url: str = "https://management.azure.com"  # of Azure Resource Manager
    authority_url: str = "https://login.microsoftonline.com"  # of Entra
    file_url: str = "https://{account}.file.core.windows.net"  # of Azure Files
    # Key Vault's client checks that a challenge names the vault's own domain, which no vault on loopback can satisfy.
    verify_key_vault_domain: Annotated[bool, Meta(description="true or false")] = True

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
        """Read the settings; raises Misconfigured that names every missing or every wrong one at once."""
        fields = msgspec.structs.fields(cls)
        found = {f.name: _value(environ[_variable(f.name)]) for f in fields if environ.get(_variable(f.name))}
        missing = [_variable(f.name) for f in fields if f.required and f.name not in found]
        if missing:
            raise Misconfigured("SettingsMissing", f"set these application settings: {', '.join(missing)}")
        wrong = [fault for f in fields if f.name in found and (fault := _fault(f, found[f.name]))]
        if wrong:
            raise Misconfigured("SettingInvalid", f"correct these application settings: {'; '.join(wrong)}")
        return msgspec.convert(found, cls, strict=False)


def _fault(field: msgspec.structs.FieldInfo, value: object) -> str:
    """What is wrong with the value of a setting, and what it has to be; empty if nothing is."""
    try:
        msgspec.convert(value, field.type, strict=False)
    except msgspec.ValidationError as error:
        needed = next((meta.description for meta in getattr(field.type, "__metadata__", ())), str(error))
        return f"{_variable(field.name)} is {shown(str(value))!r} and has to be {needed}"
    return ""


def _value(text: str) -> object:
    """What a setting says: an object of JSON, or text."""
    try:
        return msgspec.json.decode(text) if text.startswith("{") else text
    except msgspec.DecodeError:
        return text


def _variable(field: str) -> str:
    return f"MESHWARD_{field.upper()}"
