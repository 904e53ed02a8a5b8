"""The certificate authority of a datacenter: its roots, its configuration, and leaves.

Rules:
- Consul has no check-and-set for the configuration. Who writes it holds Meshward's own lease, and reads it back.
- A write that isn't answered may have been made: what holds is what is read, never the status of the write.
- Consul signs a caller's own request over gRPC only. Over HTTP, the server makes the key and sends it along with the
  leaf; it isn't read here. `leaf` is always of the datacenter whose servers are asked: Consul ignores `dc` there.
"""

from datetime import timedelta
from typing import Any

import msgspec

from shared.adapters.meshes.consul.calls import Calls, Request, segment
from shared.domain.errors import NotConverged
from shared.domain.trust.consul.ca_configuration import CaConfiguration
from shared.domain.trust.consul.facts import ConsulLeaf, ConsulRoot, ConsulRoots

_CONFIGURATION = "connect/ca/configuration"
_READING = "reading the CA configuration"
_WRITING = "writing the CA configuration"
_LONGEST_OPEN = 8  # characters of a text that is no secret by its length


class _Root(msgspec.Struct, rename="pascal"):
    id: str = msgspec.field(name="ID")
    signing_key_id: str = msgspec.field(name="SigningKeyID")
    root_cert: str
    intermediate_certs: list[str] | None


class _Roots(msgspec.Struct, rename="pascal"):
    active_root_id: str = msgspec.field(name="ActiveRootID")
    trust_domain: str
    roots: list[_Root] | None


class _Configuration(msgspec.Struct, rename="pascal"):
    provider: str
    config: dict[str, Any] | None
    force_without_cross_signing: bool = False
    modify_index: int = 0


class _Leaf(msgspec.Struct, rename="pascal"):
    serial_number: str
    cert_pem: str = msgspec.field(name="CertPEM")
    service: str
    service_uri: str = msgspec.field(name="ServiceURI")


class ConsulAuthority:
    """What signs for a datacenter."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def roots(self, dc: str = "", *, index: int = 0, wait: timedelta = timedelta()) -> ConsulRoots:
        """The roots; with the `index` of earlier ones, as soon as there are newer ones, or after `wait`."""
        request = Request("GET", "connect/ca/roots", dc, wait=wait)
        found, newer = await self._calls.ask(_Roots, "reading the roots", request, index)
        return ConsulRoots(
            trust_domain=found.trust_domain,
            active_id=found.active_root_id,
            roots=tuple(_root(root, found.active_root_id) for root in found.roots or ()),
            index=newer,
        )

    async def configuration(self, dc: str = "") -> CaConfiguration:
        """The whole configuration as the leader holds it."""
        found = await self._calls.read(_Configuration, _READING, _CONFIGURATION, dc, consistent="")
        return CaConfiguration(
            provider=found.provider,
            values=found.config or {},
            without_cross_signing=found.force_without_cross_signing,
            modify_index=found.modify_index,
        )

    async def write_configuration(self, desired: CaConfiguration, dc: str = "") -> CaConfiguration:
        """Make this the configuration, and read it back; raises NotConverged if it isn't what was written."""
        values = dict(desired.values)
        body = {
            "Provider": desired.provider,
            "Config": values,
            "ForceWithoutCrossSigning": desired.without_cross_signing,
        }
        request = Request("PUT", _CONFIGURATION, dc, body=body, refused="CaConfigurationRefused")
        await self._calls.send(_WRITING, request._replace(secrets=tuple(_texts(values))))
        found = await self.configuration(dc)
        if not found.says_same(desired):
            message = f"{_WRITING} of {dc or self._calls.datacenter}: somebody else has written another one"
            raise NotConverged("CaConfigurationChanged", message)
        return found

    async def leaf(self, service: str, *, index: int = 0, wait: timedelta = timedelta()) -> ConsulLeaf:
        """The leaf of a service: one that the servers hold already, or a new one; with an `index` as `roots`."""
        request = Request("GET", f"agent/connect/ca/leaf/{segment(service)}", wait=wait)
        found, newer = await self._calls.ask(_Leaf, f"asking for a leaf of {service}", request, index)
        return ConsulLeaf(
            service=found.service,
            spiffe_id=found.service_uri,
            serial=found.serial_number,
            chain=found.cert_pem,
            index=newer,
        )


def _root(found: _Root, active_id: str) -> ConsulRoot:
    return ConsulRoot(
        id=found.id,
        certificate=found.root_cert,
        intermediates=tuple(found.intermediate_certs or ()),
        signing_key_id=found.signing_key_id,
        active=found.id == active_id,
    )


def _texts(value: Any) -> list[str]:
    """Every text of a configuration that may be a secret."""
    if isinstance(value, str):
        return [value] if len(value) > _LONGEST_OPEN else []
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in _texts(part)]
