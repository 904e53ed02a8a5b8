"""The CA configuration of a datacenter, as Consul takes it: what it refuses, and what it takes without a word.

Rules (from the source of 1.22.6, and seen on real agents):
- A write replaces the configuration whole. An unknown key is stored and ignored, so a typo is silent.
- Where LeafCertTTL isn't stored, leaves live for 72 hours, but the pruning of roots counts it as nothing.
"""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from local.cloud.consul.errors import ConsulError

HOUR = timedelta(hours=1)
_PARTS = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DEFAULTS = {"LeafCertTTL": 72 * HOUR, "IntermediateCertTTL": 8760 * HOUR, "RootCertTTL": 87600 * HOUR}
_BITS = {"ec": (224, 256, 384, 521), "rsa": (2048, 4096)}
_WRONG_BITS = {
    "ec": "EC key length must be one of (224, 256, 384, 521) bits",
    "rsa": "RSA key length must be 2048 or 4096 bits",
}
_TOP_LEVEL = {"provider", "config", "state", "forcewithoutcrosssigning", "clusterid", "createindex", "modifyindex"}


@dataclass(frozen=True)
class Configuration:
    """A configuration as it was sent."""

    provider: str
    values: dict[str, Any] = field(default_factory=dict)
    without_cross_signing: bool = False

    def lifetime(self, name: str) -> timedelta:
        """A lifetime, the default where nothing is stored."""
        return self._stored(name) if self.values.get(name) else _DEFAULTS[name]

    @property
    def kept_for(self) -> timedelta:
        """How long a root is kept after it was replaced."""
        return 2 * self._stored("LeafCertTTL") if self.values.get("LeafCertTTL") else timedelta()

    @property
    def key(self) -> tuple[str, int]:
        kind, bits = self.values.get("PrivateKeyType") or "ec", self.values.get("PrivateKeyBits") or 256
        return str(kind), int(bits)

    @property
    def authority(self) -> tuple[object, ...]:
        """What makes it another authority, if it changes."""
        return (self.values.get("PrivateKey", ""), self.values.get("RootCert", ""), *self.key)

    @property
    def csr_per_second(self) -> float:
        return float(self.values.get("CSRMaxPerSecond", 50))

    def require_valid(self) -> None:
        """Raise ConsulError for what Consul refuses."""
        if self.provider != "consul":
            raise ConsulError(f'could not initialize provider: unknown CA provider "{self.provider}"')
        if fault := self._fault():
            raise ConsulError(f"error configuring provider: {fault}")

    def _fault(self) -> str:
        leaf, intermediate, root = (self.lifetime(name) for name in _DEFAULTS)
        kind, bits = self.key
        faults = {
            "must provide a private key when providing a root cert": bool(self.values.get("RootCert"))
            and not self.values.get("PrivateKey"),
            "root cert TTL is set and is not greater than intermediate cert ttl.": root < intermediate,
            "leaf cert TTL must be greater or equal than 1h0m0s": leaf < HOUR,
            "leaf cert TTL must be less than 8760h0m0s": leaf > 8760 * HOUR,
            "Intermediate Cert TTL must be greater or equal than 3h": intermediate < 3 * HOUR,
            "Intermediate Cert TTL must be greater or equal than 3 * LeafCertTTL": intermediate < 3 * leaf,
            "private key type must be either 'ec' or 'rsa'": kind not in _BITS,
            _WRONG_BITS.get(kind, ""): bits not in _BITS.get(kind, (bits,)),
        }
        return next((fault for fault, is_so in faults.items() if is_so), "")

    def _stored(self, name: str) -> timedelta:
        text = str(self.values[name])
        parts = _PARTS.findall(text)
        if not parts or "".join(map("".join, parts)) != text:
            raise ConsulError(f'error configuring provider: error decoding config: time: invalid duration "{text}"')
        return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts))


def sent(body: Any) -> Configuration:
    """The configuration of a request's body; raises ConsulError (400) for a field that Consul doesn't know."""
    names = {name.replace("_", "").lower(): name for name in body}
    if unknown := [own for plain, own in names.items() if plain not in _TOP_LEVEL]:
        raise ConsulError(f'Request decode failed: json: unknown field "{unknown[0]}"', 400)
    if body.get("State"):
        raise ConsulError("Provider State is read-only. It must be omitted or identical to the current value", 400)
    forced = body.get(names.get("forcewithoutcrosssigning", ""), False)
    return Configuration(body.get("Provider", ""), body.get("Config") or {}, forced)
