"""The CA configuration of a datacenter, which Consul replaces whole with each write.

Rules:
- What is written has every lifetime. Without LeafCertTTL, Consul counts it as nothing and drops the old root at the
  next hour, while leaves of it are in use; a typo in a key counts as if it weren't there.
- What is written never asks again for a change of root without cross-signing, as Consul keeps that wish.
- A new root comes of another type or size of key. So its key is made in the servers, and stays there.
- The configuration may hold a private key or a token of Vault: it is never shown, and never leaves an activity.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from shared.domain.errors import PermanentError

_LIFETIMES = {"LeafCertTTL": "72h", "IntermediateCertTTL": "8760h", "RootCertTTL": "87600h"}  # Consul's defaults
_SUPPLIED = ("PrivateKey", "RootCert")
_OTHER_KEY = {("ec", 256): ("ec", 384), ("rsa", 2048): ("rsa", 4096), ("rsa", 4096): ("rsa", 2048)}
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)(h|ms|us|µs|ns|m|s)", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class CaConfiguration:
    """Which authority signs for a datacenter, and how. A dataclass, as no history or answer of the API may hold it."""

    provider: str  # `consul`, `vault` or `aws-pca`
    values: Mapping[str, object] = field(repr=False)
    without_cross_signing: bool = False
    modify_index: int = 0

    @property
    def leaf_ttl(self) -> timedelta | None:
        """How long leaves live, and half of how long an old root is kept; None: the configuration is silent."""
        return self.lifetime("LeafCertTTL")

    def lifetime(self, name: str) -> timedelta | None:
        """A lifetime of the configuration; raises PermanentError for one that can't be read."""
        value = self.values.get(name)
        if value is None:
            return None
        found = timedelta(microseconds=value / 1000) if isinstance(value, int) else duration(str(value))
        if found is None:
            raise PermanentError("CaConfigurationRefused", f"{name} of the CA configuration isn't a duration")
        return found

    @property
    def key(self) -> tuple[str, int]:
        """Type and size of the root's key, which are EC P-256 where the configuration is silent."""
        kind, bits = self.values.get("PrivateKeyType") or "ec", self.values.get("PrivateKeyBits") or 256
        return str(kind), int(str(bits))

    @property
    def holds_key(self) -> bool:
        """Whether somebody has supplied the root's private key."""
        return bool(self.values.get("PrivateKey"))

    def completed(self) -> "CaConfiguration":
        """The same with every lifetime, and with cross-signing."""
        return replace(self, values={**_LIFETIMES, **self.values}, without_cross_signing=False)

    def with_new_key(self) -> "CaConfiguration":
        """The completed configuration of a new root. Its key is of the same family, as Consul cross-signs no other."""
        kind, bits = _OTHER_KEY.get(self.key, (self.key[0], 256))
        kept = {name: value for name, value in self.completed().values.items() if name not in _SUPPLIED}
        return replace(self.completed(), values={**kept, "PrivateKeyType": kind, "PrivateKeyBits": bits})

    def says_same(self, other: "CaConfiguration") -> bool:
        """Whether two configurations have one authority and one set of values.

        A stored wish for no cross-signing does nothing, and Consul keeps it where nothing else changes.
        """
        return (self.provider, self.values) == (other.provider, other.values)


def duration(text: str) -> timedelta | None:
    """A duration as Go writes it, such as 1h30m; None for a text that is none."""
    parts = _PART.findall(text)
    if not parts or "".join(map("".join, parts)) != text:
        return None
    return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts))
